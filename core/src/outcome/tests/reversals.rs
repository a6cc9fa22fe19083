//! Channels that declined an order and then say that they paid it.

use crate::cases::CaseKind;
use crate::orders::Order;
use crate::orders::state::OrderInput;
use crate::outcome::report::{OrderOutcome, OutcomeResult};
use crate::outcome::tests::{NOW_US, after, says, shop_order};
use sluice_contract::order::OrderState;

/// An order that netsunion declined for itself alone.
fn declined_by_netsunion(state: OrderState, channel: Option<&str>) -> Order {
    let route = r#"{"version":1,"chosen":null,"rejected":[],"tried":["netsunion"]}"#;
    Order {
        route: Some(route.into()),
        channel: channel.map(Into::into),
        ..shop_order(state)
    }
}

#[test]
fn what_a_channel_paid_though_it_had_declined_it_is_sent_through_no_other() {
    use crate::orders::state::{StateDecision, step};
    for (channel, sent) in [(None, false), (Some("unionpay"), true)] {
        let (taken, held, all) = after(
            declined_by_netsunion(OrderState::Init, channel),
            &says(OrderInput::Succeeded),
        );
        assert_eq!(
            (taken, held.state),
            (OutcomeResult::Moved, OrderState::Manual),
            "{channel:?}"
        );
        assert!(
            held.due_us
                .is_some_and(|due| due > NOW_US && due < i64::MAX),
            "its channel is asked on"
        );
        assert_eq!(
            (all.cases[0].kind, all.bookings.len()),
            (CaseKind::Contradiction, 0)
        );
        assert!(
            all.cases[0]
                .detail
                .starts_with("netsunion declined the order and now says that it paid")
        );
        assert_eq!(
            all.attempts.contains_key("o"),
            sent,
            "what was closed stays closed"
        );
        assert!(matches!(
            step(held.state, OrderInput::Claim),
            StateDecision::Refused
        ));
        assert!(
            after(held, &says(OrderInput::Declined))
                .2
                .bookings
                .is_empty(),
            "its money stays reserved"
        );
    }
}

#[test]
fn a_recanted_order_that_nobody_else_has_is_ended_by_that_channels_next_word() {
    let (_, held, _) = after(
        declined_by_netsunion(OrderState::Init, None),
        &says(OrderInput::Succeeded),
    );
    let (_, paid, all) = after(held.clone(), &says(OrderInput::Succeeded));
    assert_eq!((paid.state, all.bookings.len()), (OrderState::Success, 1));
    assert_eq!(all.attempts["o"].channel, "netsunion");
    let (_, back, all) = after(held.clone(), &says(OrderInput::Returned));
    assert_eq!(
        (back.state, all.bookings.len()),
        (OrderState::Returned, 2),
        "paid and given back"
    );
    assert!(
        all.freed.is_empty(),
        "what it took was given back when it was declined"
    );
    // Of two that declined it the first recants: the last attempt was the other's.
    let route = r#"{"version":1,"chosen":null,"rejected":[],"tried":["netsunion","unionpay"]}"#;
    let twice = Order {
        route: Some(route.into()),
        attempts: 2,
        ..declined_by_netsunion(OrderState::Init, None)
    };
    let (_, held, _) = after(twice, &says(OrderInput::Succeeded));
    let (_, paid, all) = after(held, &says(OrderInput::Succeeded));
    assert_eq!(
        (paid.state, all.attempts.is_empty()),
        (OrderState::Success, true)
    );
}

fn unionpay_says(input: OrderInput) -> OrderOutcome {
    OrderOutcome {
        channel: Some("unionpay"),
        ..says(input)
    }
}

#[test]
fn once_a_channel_has_recanted_only_a_payment_ends_the_order() {
    for state in [
        OrderState::Dispatching,
        OrderState::InDoubt,
        OrderState::Processing,
        OrderState::Manual,
    ] {
        let (taken, reversed, all) = after(
            declined_by_netsunion(state, Some("unionpay")),
            &says(OrderInput::Succeeded),
        );
        assert_eq!(
            (taken, reversed.state, all.cases.len()),
            (OutcomeResult::Moved, state, 1),
            "{state:?} is asked on"
        );
        assert_eq!(
            after(reversed.clone(), &says(OrderInput::Succeeded)).0,
            OutcomeResult::Already,
            "said again it is no news"
        );
        let (_, _, again) = after(reversed.clone(), &says(OrderInput::Returned));
        assert!(
            again.cases[0].detail.contains("gave it back"),
            "given back, it is"
        );
        no_refusal_ends(&reversed, state);
        a_payment_ends(reversed);
    }
}

fn no_refusal_ends(reversed: &Order, state: OrderState) {
    for refusal in [
        OrderInput::Declined,
        OrderInput::NotHere,
        OrderInput::NoSuchTrade,
        OrderInput::Returned,
    ] {
        let (_, kept, all) = after(reversed.clone(), &unionpay_says(refusal));
        assert!(
            !kept.state.is_end() && kept.state != OrderState::Init,
            "{state:?} × {refusal:?}: {:?}",
            kept.state
        );
        assert!(
            all.bookings.is_empty(),
            "{state:?} × {refusal:?} releases the money"
        );
    }
}

fn a_payment_ends(reversed: Order) {
    let (_, paid, all) = after(reversed, &unionpay_says(OrderInput::Succeeded));
    assert_eq!((paid.state, all.bookings.len()), (OrderState::Success, 1));
    assert_eq!(
        after(paid.clone(), &says(OrderInput::Succeeded)).0,
        OutcomeResult::Already,
        "it is a case already"
    );
    // Both paid: what one gives back covers the other, and is not the account's.
    let (taken, kept, all) = after(paid, &unionpay_says(OrderInput::Returned));
    assert_eq!(
        (taken, kept.state, all.bookings.len()),
        (OutcomeResult::Contradiction, OrderState::Success, 0)
    );
}

#[test]
fn a_reversal_after_the_end_is_a_case_and_moves_nothing() {
    // The same if the other was quicker.
    let (taken, paid, all) = after(
        declined_by_netsunion(OrderState::Success, Some("unionpay")),
        &says(OrderInput::Succeeded),
    );
    assert_eq!(
        (taken, paid.state, all.cases.len(), all.bookings.len()),
        (OutcomeResult::Moved, OrderState::Success, 1, 0)
    );
    assert_eq!(
        after(paid, &unionpay_says(OrderInput::Returned)).0,
        OutcomeResult::Contradiction
    );
    for end in [OrderState::Failed, OrderState::Returned] {
        let (taken, stays, all) = after(
            declined_by_netsunion(end, Some("unionpay")),
            &says(OrderInput::Succeeded),
        );
        assert_eq!(
            (taken, stays.state, all.cases.len()),
            (OutcomeResult::Contradiction, end, 1)
        );
    }
}
