//! Comparison of two sets over the same recording, rule by rule.

use crate::backtest::verdict::{BacktestVerdict, VariantResult};
use crate::rules::runtime::rule_set::RuleSet;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Verdicts shown of each kind and rule; all of them are in `--verdicts`.
const MAX_EXAMPLES: usize = 5;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerdictCounts {
    pub violations: u64,
    pub undetermined: u64,
}

/// One rule, then and now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleComparison {
    pub rule: String,
    /// Its mode in the set that is tried; empty if it is not in it.
    pub mode: &'static str,
    pub now: VerdictCounts,
    /// `None` without a set to compare with.
    pub then: Option<VerdictCounts>,
    /// Verdicts of either kind that only the tried set has.
    pub new: u64,
    pub gone: u64,
    pub same: u64,
    pub new_examples: Vec<BacktestVerdict>,
    pub gone_examples: Vec<BacktestVerdict>,
    /// The first error of it in the tried set.
    pub error: Option<String>,
}

/// Compares rule by rule what two sets found; without `then` there is nothing to compare.
pub(super) fn compare(
    set: &RuleSet,
    now: &VariantResult,
    then: Option<(&RuleSet, &VariantResult)>,
) -> Vec<RuleComparison> {
    let modes: BTreeMap<&str, &'static str> = set
        .rules()
        .map(|rule| (rule.id.as_str(), rule.mode.as_str()))
        .collect();
    let old = then.map(|(_, said)| said);
    let mut names: BTreeSet<&str> = modes.keys().copied().collect();
    names.extend(
        then.iter()
            .flat_map(|(set, _)| set.rules().map(|rule| rule.id.as_str())),
    );
    let ours: BTreeSet<&str> = now
        .verdicts
        .iter()
        .map(|verdict| verdict.verdict_id.as_str())
        .collect();
    let theirs: BTreeSet<&str> = old
        .iter()
        .flat_map(|said| &said.verdicts)
        .map(|verdict| verdict.verdict_id.as_str())
        .collect();
    let of = |rule: &str| {
        let new = only(now, &theirs, rule).filter(|_| old.is_some());
        let (new_count, new_examples) = some(new);
        let (gone, gone_examples) = some(old.iter().flat_map(|said| only(said, &ours, rule)));
        let both = now
            .verdicts
            .iter()
            .filter(|v| v.rule == rule && theirs.contains(v.verdict_id.as_str()));
        RuleComparison {
            rule: rule.to_owned(),
            mode: modes.get(rule).copied().unwrap_or_default(),
            now: fired(now, rule),
            then: old.map(|said| fired(said, rule)),
            new: new_count,
            gone,
            same: both.count() as u64,
            new_examples,
            gone_examples,
            error: now.errors.get(rule).cloned(),
        }
    };
    names.into_iter().map(of).collect()
}

/// A rule's verdicts that are not among `others`.
fn only<'a>(
    said: &'a VariantResult,
    others: &BTreeSet<&str>,
    rule: &str,
) -> impl Iterator<Item = &'a BacktestVerdict> {
    said.verdicts
        .iter()
        .filter(move |v| v.rule == rule && !others.contains(v.verdict_id.as_str()))
}

fn some<'a>(all: impl Iterator<Item = &'a BacktestVerdict>) -> (u64, Vec<BacktestVerdict>) {
    let mut count = 0;
    let mut shown = Vec::new();
    for verdict in all {
        count += 1;
        if shown.len() < MAX_EXAMPLES {
            shown.push(verdict.clone());
        }
    }
    (count, shown)
}

fn fired(said: &VariantResult, rule: &str) -> VerdictCounts {
    let [violations, undetermined] = said.counts.get(rule).copied().unwrap_or_default();
    VerdictCounts {
        violations,
        undetermined,
    }
}
