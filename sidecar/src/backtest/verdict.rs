//! Verdicts of a backtest.

use crate::backtest::what_if::BreakerEffects;
use crate::rules::runtime::finding::Finding;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;

/// A verdict as backtests compare, show and write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BacktestVerdict {
    pub verdict_id: String,
    pub rule: String,
    pub rule_hash: String,
    pub mode: &'static str,
    pub outcome: &'static str,
    pub position: String,
    pub item: String,
    pub account_id: String,
    pub message: String,
    pub breakers: Vec<String>,
}

impl BacktestVerdict {
    pub(super) fn of(finding: &Finding) -> BacktestVerdict {
        BacktestVerdict {
            verdict_id: finding.verdict_id.clone(),
            rule: finding.rule.id.clone(),
            rule_hash: finding.rule_hash.clone(),
            mode: finding.rule.mode.as_str(),
            outcome: finding.outcome.as_str(),
            position: finding.position.to_string(),
            item: finding.item.clone(),
            account_id: finding.account.clone(),
            message: finding.message.clone(),
            breakers: finding.breakers.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Verdicts, errors and effects of one set.
#[derive(Debug, Default)]
pub struct VariantResult {
    /// Each once, in the order of finding.
    pub verdicts: Vec<BacktestVerdict>,
    /// Violations and undetermined ones by rule, those not kept too.
    pub counts: BTreeMap<String, [u64; 2]>,
    /// Not kept, so not compared.
    pub unkept: u64,
    /// Errors of rules, the first of each.
    pub errors: BTreeMap<String, String>,
    pub held: BreakerEffects,
}

/// Output of verdicts, a line each; none if nobody wants them.
pub type VerdictOutput<'a> = Option<&'a mut (dyn Write + Send)>;
