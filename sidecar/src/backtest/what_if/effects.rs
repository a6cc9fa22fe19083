//! Effects of breakers, as the report shows them.

use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::BTreeMap;

/// Money by currency: how much, of how many orders.
pub type HeldMoney = BTreeMap<String, HeldSum>;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldSum {
    pub orders: u64,
    /// Major units.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
}

/// One time that one breaker was open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerOpening {
    pub breaker: String,
    /// The rule whose finding opened it.
    pub rule: String,
    pub verdict_id: String,
    pub position: String,
    /// Microseconds of the recording; 0 if it said no time before.
    pub from_us: i64,
    /// The recording's end, if nothing closed it.
    pub until_us: i64,
    /// `end`, `person` or `resume`.
    pub closed_by: &'static str,
    /// A channel's breaker holds every order that left by the channel, though live
    /// another channel may have taken some: an upper bound.
    pub held: HeldMoney,
    /// Of the order that would have waited longest, in microseconds.
    pub longest_us: i64,
}

/// Effects of all breakers together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerEffects {
    /// In the order of opening.
    pub openings: Vec<BreakerOpening>,
    /// More than are listed.
    pub unlisted: u64,
    /// Each order once, whatever held it.
    pub held: HeldMoney,
    /// False if there were so many orders that one may count twice.
    pub exact: bool,
}

/// Adds one order to a sum.
pub(super) fn add(money: &mut HeldMoney, currency: &str, amount: Decimal) {
    let sum = money.entry(currency.to_owned()).or_default();
    sum.orders += 1;
    sum.amount = sum.amount.saturating_add(amount);
}
