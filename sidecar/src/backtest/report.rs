//! Report of a backtest: rule by rule what is newly found and what no longer is,
//! and what the breakers would have held.

use crate::backtest::comparison::{RuleComparison, compare};
use crate::backtest::verdict::VariantResult;
use crate::backtest::what_if::BreakerEffects;
use crate::rules::runtime::rule_set::RuleSet;
use crate::stream::change::{RuleInput, SourceKind};
use serde::Serialize;

/// Figures of what was read.
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
    /// In words, parts that are missing or were cut.
    pub notes: Vec<String>,
}

impl RecordingStats {
    /// Counts one input.
    pub(super) fn count(&mut self, input: &RuleInput) {
        match input {
            RuleInput::Transaction(transaction) => {
                self.transactions += 1;
                self.changes += transaction.changes.len() as u64;
            }
            RuleInput::Event(_) => self.events += 1,
            // No part of a stream.
            RuleInput::AtRest(_) => {}
            RuleInput::Watermark { source, at_us } => {
                self.watermarks += 1;
                match source {
                    SourceKind::Binlog => self.extend_to(*at_us),
                    SourceKind::Kafka => {}
                }
            }
        }
    }

    /// Takes a time of the binlog into the recording's span.
    fn extend_to(&mut self, at_us: i64) {
        self.from_us = match self.from_us {
            0 => at_us,
            from_us => from_us.min(at_us),
        };
        self.to_us = self.to_us.max(at_us);
    }
}

/// The report: the same for the same recording and sets, byte for byte.
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
