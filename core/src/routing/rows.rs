//! Rows of a configuration: plain data, as a file and the tables hold them. Nothing here
//! is checked; `RoutingSet::of` does that.

use crate::routing::{LimitScope, NoRouteAction};
use rust_decimal::Decimal;
use serde::Serialize;
use sluice_contract::money::Currency;

/// Stands for every channel or every key.
pub const ANY_KEY: &str = "*";

/// A channel that may be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoutingChannelRow {
    pub channel: String,
    /// Lower is tried first.
    pub priority: i64,
    /// Share among channels of the same priority.
    pub weight: i64,
    pub paused: bool,
    pub note: String,
}

/// A rule that a channel must pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoutingRuleRow {
    pub rule: String,
    pub condition: String,
    /// Words for the order; `{name}` stands for a detail or a variable.
    pub message: String,
    pub otherwise: NoRouteAction,
    pub details: Vec<RoutingDetailRow>,
}

/// A detail that fills a rule for a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoutingDetailRow {
    /// A channel, or `*`.
    pub channel: String,
    pub name: String,
    pub value: RoutingDetailValue,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RoutingDetailValue {
    Text(String),
    Number(Decimal),
    List(Vec<String>),
}

/// A limit in major units; `None` is no limit of that sort.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoutingLimitRow {
    pub scope: LimitScope,
    /// One account, client, channel or user, or `*` for each of them.
    pub key: String,
    /// Holds only for payments through this channel; the total is of all channels.
    pub channel: String,
    pub currency: Currency,
    pub single: Option<Decimal>,
    pub day: Option<Decimal>,
    pub month: Option<Decimal>,
    pub otherwise: NoRouteAction,
}

impl RoutingLimitRow {
    /// Names the limit, as a problem does.
    pub fn place(&self) -> String {
        format!(
            "limit {}/{}/{}/{}",
            self.scope.as_str(),
            self.key,
            self.channel,
            self.currency
        )
    }
}
