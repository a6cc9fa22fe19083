//! Asks a channel what became of an order, by the stored serial number and trade
//! time: always before anything is sent again (seed 002 §4.1, stages 2 and 3).

use crate::metrics::METRICS;
use crate::orders::Order;
use crate::orders::state::OrderInput;
use crate::outcome::{AskedQuery, OrderOutcome, OutcomeResult};
use crate::recovery::OrderRecovery;
use crate::recovery::channel_queries::ChannelQueries;
use crate::recovery::stages::{PassedBound, RecoveryStage};
use sluice_contract::clock::now_us;
use sluice_contract::order::OrderKind;

impl OrderRecovery {
    /// Asks, and reports what was answered. Past the bound of its stage the order is a
    /// person's case: the state machine refuses that for one that the answer has ended.
    pub(super) async fn ask(&self, queries: &ChannelQueries, order: Order) {
        let stage = RecoveryStage::of(order.state);
        let outcome = match order.kind {
            // Nobody need be asked: what can't be booked is tried again.
            OrderKind::Settlement => OrderOutcome::settled(order.at()),
            OrderKind::CashOut | OrderKind::Refund => self.answer(queries, &order, stage).await,
        };
        let answer = outcome.event;
        // What can't be recorded now is asked for again when the lease has run out.
        let taken = self.outcomes.record(outcome).await;
        let has_ended = is_end(answer) && taken == Ok(OutcomeResult::Moved);
        let passed = PassedBound::of(&order, answer, &self.config, now_us());
        let Some(bound) = passed.filter(|_| !has_ended) else {
            return;
        };
        tracing::error!(order = %order.order_id, queries = order.queries, "{bound}: a person's case");
        METRICS
            .stages
            .results
            .with_label_values(&[stage.as_str(), "case"])
            .inc();
        let case = OrderOutcome {
            detail: Some(bound.to_string()),
            ..OrderOutcome::new(order.at(), OrderInput::Exhausted)
        };
        let _ = self.outcomes.record(case).await;
    }

    /// Asks the channel.
    async fn answer(
        &self,
        queries: &ChannelQueries,
        order: &Order,
        stage: RecoveryStage,
    ) -> OrderOutcome {
        let stage = stage.as_str();
        let count = |result: &str| {
            METRICS
                .stages
                .results
                .with_label_values(&[stage, result])
                .inc();
        };
        let Some(channel) = self.client(queries) else {
            count("no_channel");
            tracing::error!(order = %order.order_id, channel = queries.channel, "its channel is not configured any more");
            return OrderOutcome::new(order.at(), OrderInput::Unknown);
        };
        tracing::info!(order = %order.order_id, stage, queries = order.queries, "asking the channel");
        let query = AskedQuery {
            sends: order.sends,
            asked_us: now_us(),
        };
        let result = channel.query(order).await;
        count(result.answer.as_str());
        OrderOutcome::of_channel(order.at(), channel.id(), result).of_query(query)
    }
}

/// Tells whether the answer ends the order, or sends it elsewhere, if it is taken.
fn is_end(answer: OrderInput) -> bool {
    matches!(
        answer,
        OrderInput::Succeeded | OrderInput::Declined | OrderInput::NotHere | OrderInput::Returned
    )
}
