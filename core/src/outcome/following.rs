//! Outcomes as they are seen from outside: a line in the log for each callback, and spans in
//! the order's trace.

use crate::outcome::apply::AppliedOutcomes;
use crate::outcome::report::OrderOutcome;
use sluice_contract::clock::now_us;
use sluice_contract::traces::{SpanKind, SpanTimes, TraceField, TraceParent, TraceSpan};

/// Follows the outcomes of a transaction that began at `begun_us` and is committed.
pub(super) fn follow(outcomes: &[OrderOutcome], applied: &AppliedOutcomes, begun_us: i64) {
    let ended_us = now_us();
    for (outcome, result) in outcomes.iter().zip(&applied.taken) {
        let Some(order) = applied.orders.get(&outcome.at.order_id) else {
            continue;
        };
        if let Some(callback) = &outcome.callback {
            tracing::info!(order = %order.order_id, correlation = order.correlation(),
                callback = %callback.origin.correlation, result = ?result, "callback");
        }
        let Some(parent) = order.trace() else {
            continue;
        };
        let above = callback_span(outcome, parent, ended_us);
        let times = SpanTimes { begun_us, ended_us };
        let parent = above.parent().or(Some(parent));
        let mut span = TraceSpan::past("outcome", SpanKind::Internal, parent, times, None);
        span.set(TraceField::Order, &order.order_id);
        span.set(TraceField::Call, outcome.event.as_str());
        span.set(TraceField::State, order.state.as_str());
        span.set(TraceField::Outcome, &format!("{result:?}"));
    }
}

/// Makes the span of the callback that brought the outcome, in the order's trace; the
/// channel's own trace is linked.
fn callback_span(outcome: &OrderOutcome, parent: TraceParent, ended_us: i64) -> TraceSpan {
    let Some(callback) = &outcome.callback else {
        return TraceSpan::default();
    };
    let times = SpanTimes {
        begun_us: callback.received_us,
        ended_us,
    };
    let link = callback.origin.parent;
    let mut span = TraceSpan::past("callback", SpanKind::Server, Some(parent), times, link);
    span.set(TraceField::Order, &outcome.at.order_id);
    span.set(TraceField::Channel, outcome.channel.unwrap_or("-"));
    span
}
