//! Acknowledge: the upstream says that it knows an order's end, so that stage 4 of
//! recovery stops notifying it.

use crate::operators::{ActionDone, ActionRefusal};
use crate::orders::Order;
use crate::outcome::OutcomeResult;
use sluice_contract::wire::ApiCode;

pub(super) fn answer(order: &Order, result: OutcomeResult) -> Result<ActionDone, ActionRefusal> {
    let shown = order.shown();
    match result {
        OutcomeResult::Moved | OutcomeResult::Already => Ok(ActionDone {
            shown,
            is_under_way: false,
        }),
        OutcomeResult::Contradiction
        | OutcomeResult::Refused
        | OutcomeResult::TooSoon
        | OutcomeResult::NoSuchOrder => Err(ActionRefusal::new(
            ApiCode::NotEnded,
            format!("the order is {shown}: there is no end to acknowledge yet"),
        )),
    }
}
