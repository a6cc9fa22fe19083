//! Sends claimed orders, outside any transaction, and reports what was heard.

use super::Slot;
use crate::channels::Client;
use crate::orders::Order;
use crate::outcome::{Outcome, Outcomes};
use sluice_contract::order::Kind;
use std::sync::Arc;

#[derive(Clone)]
pub struct Sender {
    pub channels: Arc<[Client]>,
    pub outcomes: Outcomes,
}

impl Sender {
    /// Calls the order's channel. The slot is given back when the call is over.
    pub fn send(&self, order: Order, slot: Option<Slot>) {
        let this = self.clone();
        this.outcomes.remember(&order.at());
        tokio::spawn(async move {
            if order.kind == Kind::Settlement {
                let _ = this.outcomes.record(Outcome::settled(order.at())).await;
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
            drop(slot);
            // If it can't be recorded now, recovery asks the channel again.
            let _ = this
                .outcomes
                .record(Outcome::heard(order.at(), channel.id(), heard).of_send(order.sends))
                .await;
        });
    }
}
