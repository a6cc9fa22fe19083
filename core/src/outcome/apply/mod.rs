//! Outcomes applied to locked orders and balances, in memory. Pure.
//!
//! | phase | file |
//! |---|---|
//! | count: late, repeated, impossible, or news | `counted`, `sendings`, `former_channel`, `mismatch` |
//! | decide by the state machine | `orders::state::step` |
//! | change the order | `change`, `note`, `reroute`, with `delays` |
//! | collect what follows: bookings, cases, events | `effects`, `case` into `applied` |
//! | settle on the locked balances | `settle` |

mod applied;
mod delays;

mod former_channel;
mod mismatch;
mod reroute;

mod counted;
mod sendings;

mod case;
mod effects;
mod note;

mod change;

mod settle;

pub use applied::{AppliedOutcomes, AttemptChange, OutcomeBooking};
pub use delays::{AckPolicy, OutcomeDelays, RENOTIFY_INTERVAL_US, SlowQueries};
pub use settle::{give_back, settle};

use crate::orders::Order;
use crate::orders::state::{OrderInput, StateDecision, step};
use crate::outcome::apply::applied::OrderChange;
use crate::outcome::apply::case::contradiction;
use crate::outcome::apply::change::change;
use crate::outcome::apply::counted::{CountedOutcome, count};
use crate::outcome::report::{OrderOutcome, OutcomeResult};
use sluice_contract::order::OrderState;

/// Applies all outcomes to the locked orders. Balances follow in `settle`, once
/// it is known which accounts are touched.
pub fn apply(
    outcomes: &[OrderOutcome],
    locked: Vec<Order>,
    delays: &OutcomeDelays,
    now_us: i64,
) -> AppliedOutcomes {
    let orders = locked
        .into_iter()
        .map(|o| (o.order_id.clone(), o))
        .collect();
    let mut all = AppliedOutcomes {
        orders,
        ..AppliedOutcomes::default()
    };
    for outcome in outcomes {
        let taken = apply_one(&mut all, outcome, delays, now_us);
        all.taken.push(taken);
    }
    all
}

fn apply_one(
    all: &mut AppliedOutcomes,
    outcome: &OrderOutcome,
    delays: &OutcomeDelays,
    now_us: i64,
) -> OutcomeResult {
    let Some(order) = all.orders.get(&outcome.at.order_id) else {
        return OutcomeResult::NoSuchOrder;
    };
    let input = match count(order, outcome, delays, now_us) {
        CountedOutcome::Input(input) => input,
        CountedOutcome::Contradiction(detail) => return contradiction(all, outcome, &detail),
        CountedOutcome::Nothing(result) => return result,
    };
    let (to, effects) = match step(deciding_state(order, input), input) {
        StateDecision::Move(to, _) if to == order.state => return OutcomeResult::Already,
        StateDecision::Move(to, effects) => (to, effects),
        StateDecision::Stay(effects) => (order.state, effects),
        StateDecision::After(first) => {
            // Two moves of one transaction, so that history and events have no gap.
            let unreported = OrderOutcome {
                event: first,
                ..outcome.clone()
            };
            return match apply_one(all, &unreported, delays, now_us) {
                OutcomeResult::Moved => apply_one(all, outcome, delays, now_us),
                other => other,
            };
        }
        StateDecision::Contradiction(detail) => return contradiction(all, outcome, detail),
        StateDecision::Refused => return OutcomeResult::Refused,
        StateDecision::Already => return OutcomeResult::Already,
    };
    let decided = OrderChange { input, to, effects };
    change(all, outcome, &decided, delays, now_us);
    OutcomeResult::Moved
}

/// Names the state that decides. An order that waits to be sent again takes late answers
/// as one that is out.
fn deciding_state(order: &Order, input: OrderInput) -> OrderState {
    let waits_to_be_sent_again = order.was_sent() && order.state == OrderState::Init;
    let is_answer = input != OrderInput::NotSent && input != OrderInput::DeclineReversed;
    if waits_to_be_sent_again && is_answer {
        OrderState::InDoubt
    } else {
        order.state
    }
}
