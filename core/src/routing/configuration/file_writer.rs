//! Writer of a configuration's file.

use crate::routing::configuration::draft::RoutingDraft;
use crate::routing::configuration::file_format::{
    RoutingFileChannel, RoutingFileLimit, RoutingFileRule, WrittenRoutingFile,
};
use crate::routing::configuration::file_value::RoutingFileValue;
use crate::routing::rows::{RoutingChannelRow, RoutingLimitRow, RoutingRuleRow};
use std::collections::BTreeMap;

/// Writes a configuration as a file that `parse` reads as the same.
pub fn write(draft: &RoutingDraft) -> anyhow::Result<String> {
    let channel = |c: &RoutingChannelRow| RoutingFileChannel {
        id: c.channel.clone(),
        priority: c.priority,
        weight: c.weight,
        paused: c.paused,
        note: c.note.clone(),
    };
    let rule = |r: &RoutingRuleRow| {
        let mut details: BTreeMap<String, BTreeMap<String, RoutingFileValue>> = BTreeMap::new();
        for d in &r.details {
            details
                .entry(d.channel.clone())
                .or_default()
                .insert(d.name.clone(), RoutingFileValue::of(&d.value));
        }
        let (id, condition, message) = (r.rule.clone(), r.condition.clone(), r.message.clone());
        RoutingFileRule {
            id,
            condition,
            message,
            otherwise: Some(r.otherwise),
            details,
        }
    };
    let limit = |l: &RoutingLimitRow| RoutingFileLimit {
        scope: l.scope,
        key: l.key.clone(),
        channel: l.channel.clone(),
        currency: l.currency,
        single: l.single.map(RoutingFileValue::of_number),
        day: l.day.map(RoutingFileValue::of_number),
        month: l.month.map(RoutingFileValue::of_number),
        otherwise: Some(l.otherwise),
    };
    Ok(toml::to_string(&WrittenRoutingFile {
        no_route: draft.no_route,
        channels: draft.channels.iter().map(channel).collect(),
        rules: draft.rules.iter().map(rule).collect(),
        limits: draft.limits.iter().map(limit).collect(),
    })?)
}
