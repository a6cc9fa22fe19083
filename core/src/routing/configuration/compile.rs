//! Compilation of a rule: its condition compiled, filled for every channel, and tried on
//! samples.

use crate::orders::sample;
use crate::routing::conditions::{
    CompiledCondition, ConditionDetail, ConditionDetails, ConditionEngine, local_of, named_windows,
};
use crate::routing::configuration::check_rule::{check_detail, check_texts};
use crate::routing::configuration::rule::RoutingRule;
use crate::routing::rows::{ANY_KEY, RoutingChannelRow, RoutingRuleRow};
use sluice_contract::order::OrderKind;
use std::collections::HashMap;

/// Time at which samples are evaluated.
const SAMPLE_TIME: &str = "20261121120000";

/// Compiles a rule, fills it for every channel and tries it on a sample.
pub(super) fn compile_rule(
    row: &RoutingRuleRow,
    channels: &[RoutingChannelRow],
    conditions: &ConditionEngine,
) -> Result<RoutingRule, Vec<String>> {
    let mut wrong = Vec::new();
    check_texts(row, &mut wrong);
    let mut names: Vec<String> = row.details.iter().map(|d| d.name.clone()).collect();
    names.sort();
    names.dedup();
    for detail in &row.details {
        if detail.channel != ANY_KEY && !channels.iter().any(|c| c.channel == detail.channel) {
            wrong.push(format!(
                "details for {:?}: no such [[channel]]",
                detail.channel
            ));
        }
        check_detail(&detail.name, &detail.value, &mut wrong);
    }
    let condition = match conditions.compile(&row.condition, &names) {
        Ok(condition) => condition,
        Err(error) => {
            wrong.push(format!("condition: {error}"));
            return Err(wrong);
        }
    };
    let details = fill_for_each(row, channels, &names, &mut wrong);
    if wrong.is_empty() {
        try_out(&condition, &details, conditions, &mut wrong);
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let (rule, message) = (row.rule.clone(), row.message.clone());
    Ok(RoutingRule {
        rule,
        message,
        otherwise: row.otherwise,
        condition,
        details,
    })
}

/// Fills the rule for every channel that it is for.
fn fill_for_each(
    row: &RoutingRuleRow,
    channels: &[RoutingChannelRow],
    names: &[String],
    wrong: &mut Vec<String>,
) -> HashMap<String, ConditionDetails> {
    let mut details = HashMap::new();
    for channel in channels.iter().map(|c| c.channel.as_str()) {
        let filled = fill(row, channel, names);
        // Without any detail for it, a rule that needs some isn't for this channel.
        if filled.is_empty() && !names.is_empty() {
            continue;
        }
        if let Some(missing) = names
            .iter()
            .find(|n| !filled.iter().any(|(have, _)| have == *n))
        {
            wrong.push(format!(
                "channel {channel} has no detail {missing}, nor has \"*\""
            ));
            continue;
        }
        check_windows(&row.condition, &filled, wrong);
        details.insert(channel.to_owned(), filled);
    }
    details
}

/// Finds the details for a channel: its own before those of every channel.
fn fill(row: &RoutingRuleRow, channel: &str, names: &[String]) -> ConditionDetails {
    let of = |name: &String, channel: &str| {
        row.details
            .iter()
            .find(|d| d.name == *name && d.channel == channel)
    };
    let found = |name: &String| {
        Some((
            name.clone(),
            ConditionDetail::from(&of(name, channel).or_else(|| of(name, ANY_KEY))?.value),
        ))
    };
    names.iter().filter_map(found).collect()
}

fn check_windows(condition: &str, details: &ConditionDetails, wrong: &mut Vec<String>) {
    for name in named_windows(condition) {
        match details.iter().find(|(n, _)| n == name) {
            Some((_, ConditionDetail::List(list))) => {
                if let Err(error) = list.windows() {
                    wrong.push(format!("detail {name}: {error}"));
                }
            }
            Some((_, ConditionDetail::Text(_) | ConditionDetail::Number(_))) | None => {
                wrong.push(format!(
                    "within({name}): needs a list of windows as a detail of that name"
                ));
            }
        }
    }
}

/// A condition must answer true or false on samples of every kind.
fn try_out(
    condition: &CompiledCondition,
    details: &HashMap<String, ConditionDetails>,
    conditions: &ConditionEngine,
    wrong: &mut Vec<String>,
) {
    let Ok(local) = local_of(SAMPLE_TIME) else {
        return;
    };
    for (channel, details) in details {
        for kind in [OrderKind::CashOut, OrderKind::Refund] {
            if let Err(error) = conditions.holds(condition, &sample(kind), channel, local, details)
            {
                wrong.push(format!(
                    "condition, tried on a {} by {channel}: {error}",
                    kind.as_str()
                ));
                return;
            }
        }
    }
}
