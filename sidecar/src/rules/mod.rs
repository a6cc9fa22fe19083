//! The rule engine: rule files in, findings out. Nothing here reads a clock or
//! does I/O while it evaluates, so that the same inputs in the same order give
//! the same findings, byte for byte.
//!
//! Only this folder knows Rhai.

pub mod at_rest;
mod cases;
pub mod coverage;
mod earlier;
mod engine;
mod evaluate;
mod files;
mod header;
mod here;
mod holds;
mod instrument;
mod keys;
mod library;
mod load;
mod log;
mod marks;
mod names;
mod pairs;
mod params;
mod places;
mod provenance;
mod recent;
mod run;
mod shares;
mod sums;
pub(crate) mod tables;
mod thing;
mod timeline;
mod tokens;
mod trace;
mod tx;
mod types;
mod unseen;
mod windows;
pub mod workers;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_hostile;
#[cfg(test)]
mod tests_language;
#[cfg(test)]
mod tests_load;
#[cfg(test)]
mod tests_pairs;
#[cfg(test)]
mod tests_pairs_full;
#[cfg(test)]
mod tests_pairs_known;
#[cfg(test)]
mod tests_pairs_restart;
#[cfg(test)]
mod tests_provenance;
#[cfg(test)]
mod tests_workers;

pub use cases::{CaseResult, run_cases, run_cases_of};
pub use evaluate::Evaluator;
pub use files::{Files, RuleFile};
pub use header::{Header, Loss, Mode, Severity, parse as parse_header};
pub use load::{LoadError, LoadErrors, RuleSet};
pub use names::names_amount;
pub use params::{Budget, Param, Params};
pub use run::UNKNOWN;
pub use trace::{Detail, InputSeen, Read};
pub use unseen::{BUILT_IN, UnseenRule};
pub use workers::Workers;

use rust_decimal::Decimal;
use sluice_contract::breaker::BreakerKey;
use std::sync::Arc;

/// What a rule says about one change. A rule that could not decide (an error, a
/// limit) is `Undetermined`: never a violation, never silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Violation,
    Undetermined,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Violation => "violation",
            Outcome::Undetermined => "undetermined",
        }
    }
}

/// One thing that a rule found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// 32 hex digits derived from rule, position, account and item: the same change
    /// evaluated again is the same finding.
    pub verdict_id: String,
    /// Its id while the same text was a candidate. None of one.
    pub before: Option<String>,
    pub rule: Arc<Header>,
    /// 16 hex digits of the rule file that decided.
    pub rule_hash: String,
    pub outcome: Outcome,
    /// Of a pair: the left side's, or that of the side whose partner is missing.
    pub position: Arc<str>,
    pub item: String,
    /// Empty if the rule could not tell.
    pub account: String,
    pub message: String,
    /// Only of a rule in mode `trip`: everything that it stops.
    pub breakers: Vec<BreakerKey>,
    /// Money at stake, in major units, if the rule says it.
    pub amount: Option<Decimal>,
    /// What the rule looked at. None only where no rule was called.
    pub detail: Option<Arc<Detail>>,
}

/// A rule that failed to evaluate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    pub rule: String,
    pub message: String,
}
