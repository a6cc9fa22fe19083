//! Events on Kafka: what the core tells, and what upstreams tell the sidecar.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Topic of the core's own events, keyed by account.
pub const ORDER_TOPIC: &str = "sluice.orders";
/// Topics on which upstream services tell what they did, keyed by account.
pub const BUSINESS_TOPICS: [&str; 2] = ["business.payment", "business.withdraw"];

/// One event of the core. Delivered at least once: `id` is the same each time,
/// and `version` orders the events of one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderEvent {
    pub id: String,
    /// `withdraw.accepted`, `withdraw.success`, `withdraw.failed`,
    /// `withdraw.returned`, `deposit.booked`.
    #[serde(rename = "type")]
    pub kind: String,
    pub account_id: String,
    pub order_id: String,
    pub transaction_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub biz_no: Option<String>,
    /// Major units, as text.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
    pub currency: String,
    pub version: i64,
    pub occurred_us: i64,
}

/// What an upstream service says happened. Unknown fields are kept out of rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BusinessEvent {
    /// Unique per event; a repeat is the same event again.
    pub id: String,
    /// `payment.succeeded` or `withdraw.requested`.
    #[serde(rename = "type")]
    pub kind: String,
    pub account_id: String,
    /// The upstream's own number of the payment or withdrawal.
    pub biz_no: String,
    /// Major units, as text.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
    pub currency: String,
    pub occurred_us: i64,
}

pub const PAYMENT_SUCCEEDED: &str = "payment.succeeded";
pub const WITHDRAW_REQUESTED: &str = "withdraw.requested";

impl BusinessEvent {
    /// The topic this kind of event belongs to.
    pub fn topic(&self) -> &'static str {
        if self.kind == PAYMENT_SUCCEEDED { BUSINESS_TOPICS[0] } else { BUSINESS_TOPICS[1] }
    }
}
