//! Sends claimed orders, outside any transaction, and reports what was heard.

use crate::channels::ChannelClient;
use crate::dispatch::CallPermit;
use crate::orders::Order;
use crate::outcome::{OrderOutcome, OutcomeRecorder};
use sluice_contract::order::OrderKind;
use std::sync::Arc;

#[derive(Clone)]
pub struct Sender {
    pub channels: Arc<[ChannelClient]>,
    pub outcomes: OutcomeRecorder,
}

impl Sender {
    /// Calls the order's channel. The permit is given back when the call is over.
    pub fn send(&self, order: Order, permit: Option<CallPermit>) {
        let this = self.clone();
        this.outcomes.remember(&order.at());
        tokio::spawn(async move {
            if order.kind == OrderKind::Settlement {
                let _ = this
                    .outcomes
                    .record(OrderOutcome::settled(order.at()))
                    .await;
                return;
            }
            let Some(channel) = this
                .channels
                .iter()
                .find(|c| order.channel.as_deref() == Some(c.id()))
            else {
                return;
            };
            tracing::info!(order = %order.order_id, account = %order.account_id, channel = channel.id(), "sending");
            let heard = channel.pay(&order).await;
            drop(permit);
            // If it can't be recorded now, recovery asks the channel again.
            let _ = this
                .outcomes
                .record(
                    OrderOutcome::of_channel(order.at(), channel.id(), heard).of_send(order.sends),
                )
                .await;
        });
    }
}
