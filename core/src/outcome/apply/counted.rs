//! The input that an outcome counts for: what is late, repeated or impossible is
//! parted from news before the state machine is asked.

use crate::orders::Order;
use crate::orders::state::OrderInput;
use crate::outcome::apply::delays::{OutcomeDelays, RENOTIFY_INTERVAL_US};
use crate::outcome::apply::former_channel::{FormerChannelAnswer, former_channel_answer};
use crate::outcome::apply::mismatch::contradicts;
use crate::outcome::apply::reroute::reroute;
use crate::outcome::apply::sendings::{SendingProof, weigh};
use crate::outcome::report::{AnswerTo, OrderOutcome, OutcomeResult};
use crate::routing::Route;
use sluice_contract::order::OrderState;

/// Worth of an outcome for its order as it is now.
pub(super) enum CountedOutcome {
    Input(OrderInput),
    /// A word that can't be true, with the reason.
    Contradiction(String),
    /// No news: the answer to whoever reports.
    Nothing(OutcomeResult),
}

/// Counts an outcome for the order as it is now.
pub(super) fn count(
    order: &Order,
    outcome: &OrderOutcome,
    delays: &OutcomeDelays,
    now_us: i64,
) -> CountedOutcome {
    let other = outcome
        .channel
        .filter(|channel| order.channel.as_deref() != Some(*channel));
    if let Some(channel) = other {
        return match former_channel_answer(order, channel, outcome.event) {
            FormerChannelAnswer::ReversesDecline => {
                CountedOutcome::Input(OrderInput::DeclineReversed)
            }
            FormerChannelAnswer::Odd(detail) => CountedOutcome::Contradiction(detail),
            FormerChannelAnswer::Repeated => CountedOutcome::Nothing(OutcomeResult::Already),
        };
    }
    if let Some(detail) = contradicts(order, outcome) {
        return CountedOutcome::Contradiction(detail);
    }
    if loses_what_it_accepted(order, outcome) {
        let detail = "the channel accepted the trade and now knows no such trade";
        return CountedOutcome::Contradiction(detail.to_owned());
    }
    match count_own(order, outcome, delays, now_us) {
        Ok(input) => CountedOutcome::Input(input),
        Err(result) => CountedOutcome::Nothing(result),
    }
}

/// Tells whether the channel denies what it said that it has: it may have archived the
/// trade, or asked a copy that is behind. Sent again, the order could be paid twice.
fn loses_what_it_accepted(order: &Order, outcome: &OrderOutcome) -> bool {
    let AnswerTo::Query(query) = outcome.answers else {
        return false;
    };
    outcome.event == OrderInput::NoSuchTrade
        && !order.state.is_end()
        && order.state != OrderState::Init
        && order.accepted_us.is_some_and(|at| query.asked_us >= at)
}

/// Counts what the order's own channel, its upstream or recovery says; an error if it
/// counts for nothing.
fn count_own(
    order: &Order,
    outcome: &OrderOutcome,
    delays: &OutcomeDelays,
    now_us: i64,
) -> Result<OrderInput, OutcomeResult> {
    let input = proven(order, outcome, delays)?;
    match input {
        // The first request may still arrive.
        OrderInput::Cancel if order.was_sent() && order.state == OrderState::Init => {
            Err(OutcomeResult::Refused)
        }
        // Another instance has published it again meanwhile, or it was acknowledged.
        OrderInput::AckOverdue if order.due_us.is_none_or(|due| due > now_us) => {
            Err(OutcomeResult::Already)
        }
        OrderInput::AckOverdue if order.notify_count >= delays.ack_policy.max_notifications => {
            Ok(OrderInput::AckExhausted)
        }
        // Another that had it says that it paid: who refuses now proves nothing any more,
        // and the money stays reserved until a person has looked.
        OrderInput::Declined
        | OrderInput::NotHere
        | OrderInput::SendRefused
        | OrderInput::NoSuchTrade
            if !order.state.is_end() && Route::has_reversed_decline(order.route.as_deref()) =>
        {
            Ok(OrderInput::Unknown)
        }
        // No other may take it: then it is the end.
        OrderInput::NotHere if reroute(order, outcome).is_none() => Ok(OrderInput::Declined),
        // Heard a moment ago: one row more would tell nothing.
        OrderInput::Accepted if is_noted_pending(order, delays, now_us) => {
            Err(OutcomeResult::Already)
        }
        OrderInput::NotSent if order.has_open_case => Err(OutcomeResult::Already),
        OrderInput::Acknowledged if order.acknowledged_us.is_some() => Err(OutcomeResult::Already),
        OrderInput::Renotify if now_us - order.updated_us < RENOTIFY_INTERVAL_US => {
            Err(OutcomeResult::TooSoon)
        }
        OrderInput::Booked
        | OrderInput::Unfunded
        | OrderInput::Claim
        | OrderInput::Unroutable
        | OrderInput::Accepted
        | OrderInput::Succeeded
        | OrderInput::Declined
        | OrderInput::NotHere
        | OrderInput::SendRefused
        | OrderInput::DeclineReversed
        | OrderInput::Unknown
        | OrderInput::NoSuchTrade
        | OrderInput::Returned
        | OrderInput::Cancel
        | OrderInput::Exhausted
        | OrderInput::NotSent
        | OrderInput::AckOverdue
        | OrderInput::AckExhausted
        | OrderInput::Acknowledged
        | OrderInput::Renotify => Ok(input),
    }
}

/// Finds the input that the answer proves, by the sendings of its order.
fn proven(
    order: &Order,
    outcome: &OrderOutcome,
    delays: &OutcomeDelays,
) -> Result<OrderInput, OutcomeResult> {
    match weigh(order, outcome, delays) {
        SendingProof::Whole(input) => Ok(input),
        // The answer to the last sending is still to come, or will be asked for.
        SendingProof::Superseded if order.state == OrderState::Dispatching => {
            Err(OutcomeResult::Already)
        }
        SendingProof::Superseded | SendingProof::TooEarly => Ok(OrderInput::Unknown),
    }
}

/// Tells whether the order is known as pending, and was said to be so a moment ago.
fn is_noted_pending(order: &Order, delays: &OutcomeDelays, now_us: i64) -> bool {
    let is_fresh = |at: i64| now_us - at < delays.pending_interval_us;
    let is_pending = matches!(order.state, OrderState::Processing | OrderState::Manual);
    is_pending && order.accepted_us.is_some() && order.last_pending_us.is_some_and(is_fresh)
}
