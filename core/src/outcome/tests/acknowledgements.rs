//! Ends that nobody acknowledges, and orders that are told again.

use crate::cases::CaseKind;
use crate::orders::state::OrderInput;
use crate::orders::{Order, OrderRef};
use crate::outcome::report::{OrderOutcome, OutcomeResult};
use crate::outcome::tests::{NOW_US, after, says, shop_order};
use sluice_contract::order::OrderState;

#[test]
fn an_end_is_told_again_under_its_own_id_until_it_is_heard() {
    let (_, ended, all) = after(
        shop_order(OrderState::Processing),
        &says(OrderInput::Succeeded),
    );
    let first = all.events[0].clone();
    assert!(
        ended.due_us.is_some_and(|due| due > NOW_US),
        "its upstream has to confirm"
    );
    // Not due yet: another instance was quicker.
    let unheard = OrderOutcome::new(OrderRef::new("A", "o"), OrderInput::AckOverdue);
    assert_eq!(after(ended.clone(), &unheard).0, OutcomeResult::Already);

    let due = Order {
        due_us: Some(NOW_US),
        ..ended
    };
    let (taken, told, all) = after(due.clone(), &unheard);
    assert_eq!(
        (taken, told.state, told.notify_count),
        (OutcomeResult::Moved, OrderState::Success, 1)
    );
    assert_eq!(all.events, [first], "the same event, not another one");
    assert!(all.bookings.is_empty() && all.attempts.is_empty() && all.moves.len() == 1);

    let (taken, heard, _) = after(
        due.clone(),
        &OrderOutcome::new(OrderRef::new("A", "o"), OrderInput::Acknowledged),
    );
    assert_eq!(
        (taken, heard.due_us, heard.acknowledged_us),
        (OutcomeResult::Moved, None, Some(NOW_US))
    );
    assert_eq!(
        after(
            heard,
            &OrderOutcome::new(OrderRef::new("A", "o"), OrderInput::Acknowledged)
        )
        .0,
        OutcomeResult::Already
    );

    let (_, given_up, all) = after(
        Order {
            notify_count: 2,
            ..due
        },
        &unheard,
    );
    assert_eq!(
        (all.cases[0].kind, given_up.due_us, given_up.has_open_case),
        (CaseKind::Unacknowledged, None, true)
    );
    assert!(all.events.is_empty());
    let (_, _, all) = after(
        given_up,
        &OrderOutcome::new(OrderRef::new("A", "o"), OrderInput::Acknowledged),
    );
    assert_eq!(all.closings[0].by, "upstream");
}

#[test]
fn an_upstream_may_ask_to_be_told_again_once_a_second() {
    let renotify = OrderOutcome::new(OrderRef::new("A", "o"), OrderInput::Renotify);
    let (taken, told, all) = after(shop_order(OrderState::InDoubt), &renotify);
    assert_eq!(
        (taken, told.state, told.due_us),
        (OutcomeResult::Moved, OrderState::InDoubt, Some(1))
    );
    assert_eq!(
        (all.events[0].kind.as_str(), all.events[0].id.as_str()),
        ("withdraw.accepted", "o-1")
    );
    assert_eq!(after(told, &renotify).0, OutcomeResult::TooSoon);
}
