//! What a backtest tells: rule by rule what is newly found and what no longer is,
//! and what the breakers would have held.

use crate::backtest::variant::{BacktestVerdict, VariantResult};
use crate::backtest::what_if::BreakerEffects;
use crate::rules::runtime::rule_set::RuleSet;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Verdicts shown of each kind and rule; all of them are in `--verdicts`.
const MAX_EXAMPLES: usize = 5;

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingStats {
    pub transactions: u64,
    pub changes: u64,
    pub events: u64,
    pub watermarks: u64,
    /// First and last time that the recording tells; 0 if it tells none.
    pub from_us: i64,
    pub to_us: i64,
    /// Times that an evaluator began anew: starts of the sidecar.
    pub starts: u64,
    pub gaps: u64,
    /// Inputs known to be missing in them.
    pub lost: u64,
    /// Rule sets that were in force while it was recorded.
    pub sets: Vec<String>,
    /// What is missing or was cut, in words.
    pub notes: Vec<String>,
}

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

/// The same for the same recording and sets, byte for byte.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BacktestReport {
    pub seen: RecordingStats,
    pub set: String,
    pub against: Option<String>,
    pub rules: Vec<RuleComparison>,
    /// By the set that is tried.
    pub held: BreakerEffects,
    pub held_then: Option<BreakerEffects>,
    /// Verdicts past the most that are compared.
    pub not_compared: u64,
}

impl BacktestReport {
    pub fn of(
        seen: RecordingStats,
        now: (&RuleSet, VariantResult),
        then: Option<(&RuleSet, VariantResult)>,
    ) -> BacktestReport {
        let rules = compare(now.0, &now.1, then.as_ref().map(|(set, said)| (*set, said)));
        BacktestReport {
            seen,
            set: now.0.hash().to_owned(),
            against: then.as_ref().map(|(set, _)| set.hash().to_owned()),
            rules,
            not_compared: now.1.unkept + then.as_ref().map_or(0, |(_, said)| said.unkept),
            held: now.1.held,
            held_then: then.map(|(_, said)| said.held),
        }
    }
}

fn compare(
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
