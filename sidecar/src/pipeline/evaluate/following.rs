//! Requests that a message's findings are about, and the spans of its orders' evaluation.

use crate::pipeline::evaluate::StreamEvaluator;
use crate::stream::change::ChangeTransaction;
use crate::stream::origins::events;
use crate::verdicts::origins_of;
use sluice_contract::clock::now_us;
use sluice_contract::traces::{SpanKind, SpanTimes, TraceField, TraceParent, TraceSpan, is_on};

impl StreamEvaluator {
    /// Follows the transactions of the message that was evaluated since `begun_us`.
    pub(super) fn follow(&mut self, begun_us: i64) {
        let evaluated = std::mem::take(&mut self.evaluated);
        self.out.origins = origins_of(evaluated.iter(), &self.out.findings);
        if is_on() {
            let times = SpanTimes {
                begun_us,
                ended_us: now_us(),
            };
            evaluated.iter().for_each(|one| trace(one, times));
        }
    }
}

/// Tells each event's trace that its transaction was evaluated.
fn trace(transaction: &ChangeTransaction, times: SpanTimes) {
    for event in events(transaction) {
        let parent = event.traceparent.as_deref().and_then(TraceParent::parse);
        let mut span = TraceSpan::past("evaluate", SpanKind::Internal, parent, times, None);
        span.set(TraceField::Order, &event.order_id);
        span.set(TraceField::Event, &event.kind);
    }
}
