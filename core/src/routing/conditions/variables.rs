//! Variables that every condition sees: the order, the channel, and its time.

use crate::orders::Order;
use anyhow::Context;
use jiff::civil::DateTime;
use rhai::{Dynamic, ImmutableString};

/// Names that every condition may use besides its details.
pub const CONDITION_VARIABLES: [&str; 8] = [
    "kind",
    "account",
    "user",
    "business",
    "to_account",
    "bank",
    "currency",
    "amount",
];
/// The ninth: which channel is asked.
pub const CHANNEL_VARIABLE: &str = "channel";

/// Values in the order of `CONDITION_VARIABLES`. What an order hasn't got is an empty text.
pub(super) fn values(order: &Order) -> [Dynamic; 8] {
    let text = |text: Option<&str>| Dynamic::from(ImmutableString::from(text.unwrap_or_default()));
    [
        text(Some(order.kind.as_str())),
        text(Some(&order.account_id)),
        text(order.user_id.as_deref()),
        text(Some(&order.client)),
        text(Some(&order.to_account)),
        text(order.bank.as_deref()),
        text(Some(order.currency.code())),
        Dynamic::from_decimal(order.amount.normalize()),
    ]
}

/// A channel's time, from its trade time `YYYYMMDDhhmmss`.
pub fn local_of(trade_time: &str) -> anyhow::Result<DateTime> {
    DateTime::strptime("%Y%m%d%H%M%S", trade_time)
        .with_context(|| format!("trade time {trade_time:?}"))
}
