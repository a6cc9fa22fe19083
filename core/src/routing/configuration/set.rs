//! A configuration that was checked and can be asked. Checking is all or nothing:
//! every problem is named, and only a whole set is ever used.

use crate::orders::Order;
use crate::routing::conditions::ConditionEngine;
use crate::routing::configuration::check::{check_channels, check_limits};
use crate::routing::configuration::compile::compile_rule;
use crate::routing::configuration::draft::RoutingDraft;
use crate::routing::configuration::rule::{RoutingRule, RuleRefusal};
use crate::routing::limits::RoutingLimits;
use crate::routing::rows::RoutingChannelRow;
use crate::routing::{NoRouteAction, RoutingProblem};
use jiff::civil::DateTime;
use std::collections::HashSet;

/// Rules of one configuration: a claim asks each of them.
const MAX_RULES: usize = 200;

/// A whole configuration.
#[derive(Debug)]
pub struct RoutingSet {
    /// 0: nothing is configured.
    pub version: i64,
    pub no_route: NoRouteAction,
    /// By priority.
    pub channels: Vec<RoutingChannelRow>,
    pub rules: Vec<RoutingRule>,
    pub limits: RoutingLimits,
    conditions: ConditionEngine,
}

impl RoutingSet {
    /// Makes the set that holds without a configuration: the channels in the order of the
    /// settings file.
    pub fn unconfigured<'a>(channels: impl Iterator<Item = &'a str>) -> Self {
        let row = |(at, channel): (usize, &str)| RoutingChannelRow {
            channel: channel.to_owned(),
            priority: at as i64,
            weight: 1,
            paused: false,
            note: String::new(),
        };
        RoutingSet {
            version: 0,
            no_route: NoRouteAction::Wait,
            channels: channels.enumerate().map(row).collect(),
            rules: Vec::new(),
            limits: RoutingLimits::default(),
            conditions: ConditionEngine::default(),
        }
    }

    /// Checks a draft and makes it ready.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn of(version: i64, draft: &RoutingDraft) -> Result<Self, Vec<RoutingProblem>> {
        let mut problems = Vec::new();
        let conditions = ConditionEngine::default();
        check_channels(&draft.channels, &mut problems);
        let rules = compile_rules(draft, &conditions, &mut problems);
        check_limits(&draft.limits, &draft.channels, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut channels = draft.channels.clone();
        channels.sort_by_key(|c| c.priority);
        let limits = RoutingLimits::new(&draft.limits);
        Ok(RoutingSet {
            version,
            no_route: draft.no_route,
            channels,
            rules,
            limits,
            conditions,
        })
    }

    /// Asks one rule; `None` if it lets the order pass or isn't for this channel.
    pub fn refuses(
        &self,
        rule: &RoutingRule,
        order: &Order,
        channel: &str,
        local: DateTime,
    ) -> Option<RuleRefusal> {
        rule.refuses(&self.conditions, order, channel, local)
    }
}

fn compile_rules(
    draft: &RoutingDraft,
    conditions: &ConditionEngine,
    problems: &mut Vec<RoutingProblem>,
) -> Vec<RoutingRule> {
    if draft.rules.len() > MAX_RULES {
        let count = draft.rules.len();
        let what = format!("there are {count}, at most {MAX_RULES}");
        problems.push(RoutingProblem::new("rule", what));
    }
    let mut seen = HashSet::new();
    let mut rules = Vec::with_capacity(draft.rules.len());
    for row in draft.rules.iter().take(MAX_RULES) {
        let place = format!("rule {}", row.rule);
        if !seen.insert(&row.rule) {
            problems.push(RoutingProblem::new(&place, "is there twice"));
        }
        match compile_rule(row, &draft.channels, conditions) {
            Ok(rule) => rules.push(rule),
            Err(all) => {
                let all = all.into_iter();
                problems.extend(all.map(|what| RoutingProblem::new(&place, what)));
            }
        }
    }
    rules
}
