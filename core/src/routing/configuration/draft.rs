//! Drafts: the whole content of a configuration as plain data.

use crate::routing::NoRouteAction;
use crate::routing::rows::{
    RoutingChannelRow, RoutingDetailValue, RoutingLimitRow, RoutingRuleRow,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Content of a configuration, unchecked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RoutingDraft {
    /// For rules and limits that say nothing themselves.
    pub no_route: NoRouteAction,
    pub channels: Vec<RoutingChannelRow>,
    pub rules: Vec<RoutingRuleRow>,
    pub limits: Vec<RoutingLimitRow>,
}

impl RoutingDraft {
    /// Puts everything in the order in which the tables give it back, numbers without trailing
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

    /// Hashes the whole content. Takes a canonical draft.
    pub fn hash(&self) -> anyhow::Result<String> {
        Ok(hex::encode(Sha256::digest(serde_json::to_vec(self)?)))
    }
}
