//! The whole content of a configuration as plain data: what a file holds and what
//! the tables hold. Nothing here is checked; `Set::of` does that.

use crate::routing::{LimitScope, NoRouteAction};
use rust_decimal::Decimal;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sluice_contract::money::Currency;
use std::collections::BTreeMap;

/// Stands for every channel or every key.
pub const ANY_KEY: &str = "*";

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RoutingDraft {
    /// For rules and limits that say nothing themselves.
    pub no_route: NoRouteAction,
    pub channels: Vec<RoutingChannelRow>,
    pub rules: Vec<RoutingRuleRow>,
    pub limits: Vec<RoutingLimitRow>,
}

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

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoutingRuleRow {
    pub rule: String,
    pub condition: String,
    /// What an order is told; `{name}` stands for a detail or a variable.
    pub message: String,
    pub otherwise: NoRouteAction,
    pub details: Vec<RoutingDetailRow>,
}

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

impl RoutingDraft {
    /// In the order in which the tables give it back, numbers without trailing
    /// zeros: the same content is the same value, and has the same hash.
    pub fn canonical(mut self) -> Self {
        self.channels
            .sort_by(|a, b| (a.priority, &a.channel).cmp(&(b.priority, &b.channel)));
        for rule in &mut self.rules {
            rule.details
                .sort_by(|a, b| (&a.channel, &a.name).cmp(&(&b.channel, &b.name)));
            for detail in &mut rule.details {
                if let RoutingDetailValue::Number(number) = &mut detail.value {
                    *number = number.normalize();
                }
            }
        }
        let key = |l: &RoutingLimitRow| (l.scope, l.key.clone(), l.channel.clone(), l.currency);
        self.limits.sort_by_key(key);
        for limit in &mut self.limits {
            for amount in [&mut limit.single, &mut limit.day, &mut limit.month] {
                *amount = amount.map(|a| a.normalize());
            }
        }
        self
    }

    /// Over the whole content. Takes a canonical draft.
    pub fn hash(&self) -> anyhow::Result<String> {
        Ok(hex::encode(Sha256::digest(serde_json::to_vec(self)?)))
    }

    /// Every item with its content in words: what a person compares.
    pub fn items(&self) -> BTreeMap<String, String> {
        let mut items =
            BTreeMap::from([("no_route".to_owned(), self.no_route.as_str().to_owned())]);
        for c in &self.channels {
            let paused = if c.paused { ", paused" } else { "" };
            let note = if c.note.is_empty() {
                String::new()
            } else {
                format!(" ({})", c.note)
            };
            let text = format!("priority {}, weight {}{paused}{note}", c.priority, c.weight);
            items.insert(format!("channel {}", c.channel), text);
        }
        for (at, r) in self.rules.iter().enumerate() {
            let text = format!(
                "{}. {} | otherwise {} | {}",
                at + 1,
                r.condition,
                r.otherwise.as_str(),
                r.message
            );
            items.insert(format!("rule {}", r.rule), text);
            for d in &r.details {
                let text = match &d.value {
                    RoutingDetailValue::Text(text) => format!("{text:?}"),
                    RoutingDetailValue::Number(number) => number.to_string(),
                    RoutingDetailValue::List(list) => format!("[{}]", list.join(", ")),
                };
                items.insert(format!("detail {}/{}/{}", r.rule, d.channel, d.name), text);
            }
        }
        for l in &self.limits {
            let amount = |a: Option<Decimal>| a.map_or("-".to_owned(), |a| a.to_string());
            let (single, day, month) = (amount(l.single), amount(l.day), amount(l.month));
            let text = format!(
                "single {single}, day {day}, month {month}, otherwise {}",
                l.otherwise.as_str()
            );
            items.insert(l.place(), text);
        }
        items
    }
}
