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
}

/// What an upstream service says happened. Unknown fields are kept out of rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BusinessEvent {
    /// Unique per event; a repeat is the same event again.
    pub id: String,
    /// One of [`BUSINESS_EVENTS`].
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

/// A payer paid the merchant `accountId`: the core books it onto the merchant's
/// intermediate account.
pub const PAYMENT_SUCCEEDED: &str = "payment.succeeded";
/// Money came for the account, to be used at once: `POST /deposit` books it.
pub const DEPOSIT_RECEIVED: &str = "deposit.received";
/// An upstream is about to ask for this withdrawal.
pub const WITHDRAW_REQUESTED: &str = "withdraw.requested";
/// Everything that upstreams tell.
pub const BUSINESS_EVENTS: [&str; 3] = [PAYMENT_SUCCEEDED, DEPOSIT_RECEIVED, WITHDRAW_REQUESTED];

/// Longest event read, in bytes; a business event has seven short fields.
const MOST_BYTES: usize = 64 * 1024;

impl BusinessEvent {
    /// The topic this kind of event belongs to.
    pub fn topic(&self) -> &'static str {
        if self.kind == WITHDRAW_REQUESTED { BUSINESS_TOPICS[1] } else { BUSINESS_TOPICS[0] }
    }

    /// Reads an event as core and sidecar both understand it, so that they can't
    /// differ on what was told.
    ///
    /// # Errors
    /// What is wrong, without quoting it: it may hold anything.
    pub fn read(payload: &[u8]) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        struct Exact {
            amount: String,
        }
        if payload.len() > MOST_BYTES {
            return Err("longer than 64 KiB");
        }
        let event: BusinessEvent = serde_json::from_slice(payload).map_err(|_| "not the JSON of a business event")?;
        // The event's own reader rounds past 28 digits without a word.
        let exact: Exact = serde_json::from_slice(payload).map_err(|_| "amount is not text")?;
        match Decimal::from_str_exact(&exact.amount) {
            Ok(amount) if amount == event.amount => {}
            _ => return Err("amount does not fit an exact decimal"),
        }
        if !BUSINESS_EVENTS.contains(&event.kind.as_str()) {
            return Err("unknown type");
        }
        let named = !event.id.is_empty() && !event.account_id.is_empty() && !event.biz_no.is_empty();
        named.then_some(event).ok_or("id, accountId or bizNo is empty")
    }
}

#[cfg(test)]
mod tests {
    use super::BusinessEvent;

    #[test]
    fn events_by_table() {
        let event = |kind: &str, amount: &str, account: &str| {
            format!(
                r#"{{"id":"e1","type":"{kind}","accountId":"{account}","bizNo":"b","amount":{amount},"currency":"CNY","occurredUs":1,"more":2}}"#
            )
        };
        let long = "\"0.10000000000000000555111512312578270211815834045\"";
        let cases = [
            (event("payment.succeeded", "\"1.50\"", "a"), None),
            (event("deposit.received", "\"1.50\"", "a"), None),
            (event("withdraw.requested", "\"1\"", "a"), None),
            (event("payment.gone", "\"1\"", "a"), Some("unknown type")),
            (event("payment.succeeded", long, "a"), Some("amount does not fit an exact decimal")),
            (event("payment.succeeded", "\"x\"", "a"), Some("not the JSON of a business event")),
            (event("payment.succeeded", "\"1\"", ""), Some("id, accountId or bizNo is empty")),
            ("{".to_owned(), Some("not the JSON of a business event")),
        ];
        for (text, want) in cases {
            assert_eq!(BusinessEvent::read(text.as_bytes()).err(), want, "{text}");
        }
    }
}
