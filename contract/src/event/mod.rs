//! Events on Kafka: those of the core for upstreams, and those of upstreams for core and
//! sidecar.

mod business;
mod verifier;

pub use crate::event::business::{BusinessEvent, EventError, MAX_EVENT_BYTES};
pub use crate::event::verifier::{
    EVENT_SIGNATURE_HEADER, EventVerifier, PRODUCER_SECRET, sign_event,
};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Topic of the core's own events, keyed by account.
pub const ORDER_TOPIC: &str = "sluice.orders";
/// Topics of upstream services' events, keyed by account.
pub const BUSINESS_TOPICS: [&str; 2] = ["business.payment", "business.withdraw"];

/// One event of the core. Delivered at least once: `id` is the same each time,
/// and `version` orders the events of one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderEvent {
    pub id: String,
    /// `withdraw.*`, `settlement.*` or `refund.*` with `accepted`, `success`,
    /// `failed`, `returned`; `deposit.booked`, `payment.captured`.
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
    /// Of the request that led to it; on Kafka a header as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Parent of the event's spans, if its trace is exported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// A payer paid the merchant `accountId`: the core books it onto the merchant's
/// intermediate account.
pub const PAYMENT_SUCCEEDED: &str = "payment.succeeded";
/// Money came for the account, to be used at once: `POST /deposit` books it.
pub const DEPOSIT_RECEIVED: &str = "deposit.received";
/// An upstream is about to ask for this withdrawal.
pub const WITHDRAW_REQUESTED: &str = "withdraw.requested";
/// Kinds of business events, all that there are.
pub const BUSINESS_EVENTS: [&str; 3] = [PAYMENT_SUCCEEDED, DEPOSIT_RECEIVED, WITHDRAW_REQUESTED];

#[cfg(test)]
mod tests;
