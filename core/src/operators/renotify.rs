//! Renotify: an order's last event is published once more, under its own id; at most
//! once a second per order.

use crate::operators::{ActionDone, ActionRefusal};
use crate::orders::Order;
use crate::outcome::OutcomeResult;
use sluice_contract::wire::ApiCode;

pub(super) fn answer(order: &Order, result: OutcomeResult) -> Result<ActionDone, ActionRefusal> {
    match result {
        OutcomeResult::Moved => Ok(ActionDone {
            shown: order.shown(),
            is_under_way: true,
        }),
        OutcomeResult::Refused => Err(ActionRefusal::new(
            ApiCode::NotEnded,
            "the order is not booked yet: ask again",
        )),
        OutcomeResult::Already
        | OutcomeResult::Contradiction
        | OutcomeResult::TooSoon
        | OutcomeResult::NoSuchOrder => Err(ActionRefusal::new(
            ApiCode::TooOften,
            "the order changed or was told within the last second",
        )),
    }
}
