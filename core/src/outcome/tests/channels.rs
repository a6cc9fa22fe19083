//! Words of channels on orders that are, or are not, with them.

use crate::orders::OrderRef;
use crate::orders::state::OrderInput;
use crate::outcome::report::{OrderOutcome, OutcomeResult};
use crate::outcome::tests::{apply_to, unionpay_order};
use sluice_contract::order::OrderState;

fn taken(
    state: OrderState,
    attempts: i64,
    channel: Option<&'static str>,
    event: OrderInput,
) -> (OutcomeResult, OrderState, Option<String>) {
    let outcome = OrderOutcome {
        channel,
        ..OrderOutcome::new(OrderRef::new("A", "o"), event)
    };
    let all = apply_to(outcome, unionpay_order(state, attempts));
    let detail = all.cases.first().map(|c| c.detail.clone());
    (all.taken[0], all.orders["o"].state, detail)
}

#[test]
fn another_channel_cannot_end_an_order() {
    let (taken, state, detail) = taken(
        OrderState::Processing,
        1,
        Some("netsunion"),
        OrderInput::Declined,
    );
    assert_eq!(
        (taken, state),
        (OutcomeResult::Contradiction, OrderState::Processing)
    );
    assert!(detail.is_some_and(|d| d.contains("netsunion") && d.contains("unionpay")));
}

#[test]
fn a_late_success_ends_an_order_that_waits_to_be_sent_again() {
    let paid = taken(OrderState::Init, 1, Some("unionpay"), OrderInput::Succeeded);
    assert_eq!(
        (paid.0, paid.1),
        (OutcomeResult::Moved, OrderState::Success)
    );
    // Never sent: the channel can't know it.
    let odd = taken(OrderState::Init, 0, Some("unionpay"), OrderInput::Succeeded);
    assert_eq!(
        (odd.0, odd.1),
        (OutcomeResult::Contradiction, OrderState::Init)
    );
    // And a repeated "no such trade" changes nothing.
    assert_eq!(
        taken(
            OrderState::Init,
            1,
            Some("unionpay"),
            OrderInput::NoSuchTrade
        )
        .0,
        OutcomeResult::Already
    );
}

#[test]
fn what_was_sent_cannot_be_cancelled() {
    assert_eq!(
        taken(OrderState::Init, 1, None, OrderInput::Cancel).0,
        OutcomeResult::Refused
    );
    let (taken, state, _) = taken(OrderState::Init, 0, None, OrderInput::Cancel);
    assert_eq!((taken, state), (OutcomeResult::Moved, OrderState::Failed));
}
