//! Asks a channel what became of an order, by the stored serial number and trade
//! time: always before anything is sent again (seed 002 §4.1, stages 2 and 3).

use crate::metrics::METRICS;
use crate::orders::Order;
use crate::orders::state::OrderInput;
use crate::outcome::{OrderOutcome, OutcomeResult};
use crate::recovery::OrderRecovery;
use crate::recovery::channel_queries::ChannelQueries;
use crate::recovery::stages::RecoveryStage;
use sluice_contract::order::OrderKind;

impl OrderRecovery {
    pub(super) async fn ask(&self, queries: &ChannelQueries, order: Order) {
        let spent = order.queries >= i64::from(self.config.max_queries);
        if order.kind == OrderKind::Settlement {
            let _ = self
                .outcomes
                .record(OrderOutcome::settled(order.at()))
                .await;
            return;
        }
        let stage = RecoveryStage::of(order.state).as_str();
        let outcome = match self.client(queries) {
            Some(channel) => {
                tracing::info!(order = %order.order_id, correlation = order.correlation(), stage, queries = order.queries, "asking the channel");
                let result = channel.query(&order).await;
                METRICS
                    .stages
                    .results
                    .with_label_values(&[stage, result.answer.as_str()])
                    .inc();
                OrderOutcome::of_channel(order.at(), channel.id(), result).of_query(order.sends)
            }
            None => {
                METRICS
                    .stages
                    .results
                    .with_label_values(&[stage, "no_channel"])
                    .inc();
                tracing::error!(order = %order.order_id, channel = queries.channel, "its channel is not configured any more");
                OrderOutcome::new(order.at(), OrderInput::Unknown)
            }
        };
        // Asked for the last time, "no such trade" is a person's case too: sending
        // again has not helped so often.
        let ends = !matches!(
            outcome.event,
            OrderInput::Unknown | OrderInput::Accepted | OrderInput::NoSuchTrade
        );
        if !spent || ends {
            // What can't be recorded now is asked for again when the lease has run out.
            let taken = self.outcomes.record(outcome).await;
            if !spent || taken == Ok(OutcomeResult::Moved) {
                return;
            }
        }
        tracing::error!(order = %order.order_id, "asked {} times without an end: a person's case", order.queries);
        METRICS
            .stages
            .results
            .with_label_values(&[stage, "case"])
            .inc();
        let _ = self
            .outcomes
            .record(OrderOutcome::new(order.at(), OrderInput::Exhausted))
            .await;
    }
}
