//! The change of an order that a decided outcome makes.

use crate::cases::storable;
use crate::orders::Order;
use crate::orders::history::OrderTransition;
use crate::orders::state::{OrderEffect, OrderInput};
use crate::outcome::apply::applied::{AppliedOutcomes, AttemptChange, OrderChange};
use crate::outcome::apply::delays::OutcomeDelays;
use crate::outcome::apply::effects::perform;
use crate::outcome::apply::note::note;
use crate::outcome::apply::reroute::{has_last_attempt, reroute};
use crate::outcome::apply::sendings::refusal;
use crate::outcome::report::OrderOutcome;
use crate::routing::Route;
use crate::routing::limits::LimitUsage;
use sluice_contract::order::OrderState;

/// Changes the order of the outcome, and collects what follows.
pub(super) fn change(
    all: &mut AppliedOutcomes,
    outcome: &OrderOutcome,
    decided: &OrderChange,
    delays: &OutcomeDelays,
    now_us: i64,
) {
    let Some(order) = all.orders.get_mut(&outcome.at.order_id) else {
        return;
    };
    // The state as stored: an order that waits to be sent again is in `init`.
    let from = order.state;
    let was_sent = order.was_sent();
    let with = order.channel.clone();
    // By channel and trade time as they are now: a switch takes the channel away.
    if decided.effects.contains(&OrderEffect::FreeLimits)
        && let Some(usage) = LimitUsage::of(order)
    {
        all.freed.insert(order.order_id.clone(), usage);
    }
    if from != decided.to {
        move_order(order, decided.to, delays, outcome, now_us);
        note_code(order, outcome);
        if was_sent && has_last_attempt(order) {
            let attempt = attempt_change(order, decided.input, with.clone());
            all.attempts.insert(order.order_id.clone(), attempt);
        }
        if decided.input == OrderInput::NotHere {
            let route = reroute(order, outcome);
            order.route = route.and_then(|route| serde_json::to_string(&route).ok());
            // The next channel is asked afresh.
            (order.channel, order.queries, order.accepted_us) = (None, 0, None);
        }
    }
    if decided.input == OrderInput::SendRefused {
        note_code(order, outcome);
        order.send_refusal = refusal(outcome);
    }
    if decided.input == OrderInput::DeclineReversed
        && let Some(channel) = outcome.channel
    {
        order.route = Route::with_decline_reversed(order.route.as_deref(), channel);
        // Nobody else has it: what this channel says next ends it, or a person does.
        order.channel.get_or_insert_with(|| channel.to_owned());
    }
    note(order, decided, delays, now_us);
    let order = order.clone();
    all.moves.push(OrderTransition {
        channel: with,
        ..OrderTransition::of(&order, from, decided.input.as_str())
    });
    perform(all, &order, decided, outcome, now_us);
}

fn move_order(
    order: &mut Order,
    to: OrderState,
    delays: &OutcomeDelays,
    outcome: &OrderOutcome,
    now_us: i64,
) {
    let from = std::mem::replace(&mut order.state, to);
    if to == OrderState::Init && from != OrderState::Booking {
        order.waiting_since_us = Some(now_us);
    }
    if from == OrderState::Manual {
        // Told clearly after all: its silence counts anew.
        order.last_pending_us = Some(now_us);
    }
    order.due_us = match to {
        OrderState::Init | OrderState::Booking => Some(now_us),
        OrderState::InDoubt if outcome.query_now => Some(now_us),
        OrderState::InDoubt => Some(now_us + delays.first_query_us),
        OrderState::Processing => Some(now_us + delays.callback_us),
        OrderState::Dispatching => order.due_us,
        OrderState::Manual => Some(now_us + delays.slow_queries.wait_us(order, now_us)),
        OrderState::Success | OrderState::Failed | OrderState::Returned => None,
    };
}

/// Keeps the channel's code, for people. "No such trade" is no reason for an end: that was
/// told before, by the refusal of the last sending.
fn note_code(order: &mut Order, outcome: &OrderOutcome) {
    let is_told = outcome.event == OrderInput::NoSuchTrade && order.send_refusal.is_some();
    if !is_told && let Some(code) = &outcome.code {
        order.result_code = Some(storable(code));
    }
}

/// Makes the new state of the order's last attempt, at the channel that had it.
fn attempt_change(order: &Order, input: OrderInput, channel: Option<String>) -> AttemptChange {
    let (state, live) = if input == OrderInput::NotHere {
        ("failed", false)
    } else {
        attempt_state(order)
    };
    AttemptChange {
        channel: channel.unwrap_or_default(),
        state,
        live,
    }
}

/// Names the state of a sent order's attempt, and tells whether it may still pay.
fn attempt_state(order: &Order) -> (&'static str, bool) {
    match order.state {
        OrderState::Success => ("success", false),
        OrderState::Failed => ("failed", false),
        OrderState::Returned => ("returned", false),
        OrderState::Processing => ("accepted", true),
        OrderState::InDoubt | OrderState::Manual => ("unknown", true),
        OrderState::Booking | OrderState::Init | OrderState::Dispatching => ("sent", true),
    }
}
