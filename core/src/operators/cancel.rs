//! Cancel: an order is taken back before it is sent.

use crate::operators::{ActionDone, ActionRefusal};
use crate::orders::Order;
use crate::outcome::OutcomeResult;
use sluice_contract::wire::ApiCode;

pub(super) fn check(order: &Order) -> Result<(), ActionRefusal> {
    match order.was_sent() && !order.state.is_end() {
        true => Err(too_late(order)),
        false => Ok(()),
    }
}

pub(super) fn answer(order: &Order, result: OutcomeResult) -> Result<ActionDone, ActionRefusal> {
    match result {
        OutcomeResult::Moved | OutcomeResult::Already => Ok(ActionDone {
            shown: "failed",
            is_under_way: false,
        }),
        OutcomeResult::Contradiction
        | OutcomeResult::Refused
        | OutcomeResult::TooSoon
        | OutcomeResult::NoSuchOrder => Err(too_late(order)),
    }
}

fn too_late(order: &Order) -> ActionRefusal {
    let shown = order.shown();
    ActionRefusal::new(
        ApiCode::TooLate,
        format!("the order is {shown}: it can only be cancelled before it is sent"),
    )
}
