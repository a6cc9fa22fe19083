//! Sends claimed orders, outside any transaction, and reports the answers.

use crate::channels::ChannelClient;
use crate::dispatch::claim::ClaimedOrder;
use crate::outcome::{OrderOutcome, OutcomeRecorder};
use sluice_contract::order::OrderKind;
use sluice_contract::supervisor::Supervisor;
use std::sync::Arc;

/// Sender of claimed orders.
#[derive(Clone)]
pub struct Sender {
    pub channels: Arc<[ChannelClient]>,
    pub outcomes: OutcomeRecorder,
    /// The set that waits for calls under way when the core stops.
    pub parts: Supervisor,
}

impl Sender {
    /// Calls the order's channel. The permit is given back when the call is over.
    pub(super) fn send(&self, claimed: ClaimedOrder) {
        let this = self.clone();
        this.outcomes.remember(&claimed.order.at());
        self.parts.job(async move { this.pay(claimed).await });
    }

    async fn pay(&self, claimed: ClaimedOrder) {
        let ClaimedOrder {
            order,
            permit,
            send_by,
        } = claimed;
        let outcome = match order.kind {
            OrderKind::Settlement => OrderOutcome::settled(order.at()),
            OrderKind::CashOut | OrderKind::Refund => {
                let mut clients = self.channels.iter();
                let Some(channel) = clients.find(|c| order.channel.as_deref() == Some(c.id()))
                else {
                    return;
                };
                tracing::info!(order = %order.order_id, account = %order.account_id, channel = channel.id(), "sending");
                let result = channel.pay(&order, send_by).await;
                OrderOutcome::of_channel(order.at(), channel.id(), result).of_send(order.sends)
            }
        };
        drop(permit);
        // If it can't be recorded now, recovery asks the channel again.
        let _ = self.outcomes.record(outcome).await;
    }
}
