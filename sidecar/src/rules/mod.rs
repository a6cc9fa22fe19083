//! The rule engine: rule files in, findings out. Nothing here reads a clock or
//! does I/O while it evaluates, so that the same inputs in the same order give
//! the same findings, byte for byte.
//!
//! Folders, lowest first; each imports only from those above it in this list:
//! `frozen` (state that can be written), `text` (files and headers), `script` (tokens,
//! library), `views` and `transaction` (all that a rule's code sees), `runtime` (engine, one
//! call, findings), `memory` and `pair_memory` (all that triggers remember with), `trigger`
//! (a file for each kind), `compile` (files to a rule set), `stream` (inputs to findings),
//! `instrument` and `testing` (cases and coverage).
//!
//! Only this folder knows Rhai.

#[cfg(test)]
mod load_tests;
#[cfg(test)]
mod pair_tests;
#[cfg(test)]
mod restart_tests;
#[cfg(test)]
mod tests;

pub mod compile;
pub mod frozen;
pub mod instrument;
pub mod memory;
pub mod pair_memory;
pub mod runtime;
pub mod script;
pub mod stream;
pub mod testing;
pub mod text;
pub mod transaction;
pub mod trigger;
pub mod views;

pub use crate::rules::compile::method_names::names_amount;
pub use crate::rules::compile::parse_header;
pub use crate::rules::runtime::make_finding::UNKNOWN_ITEM;
pub use crate::rules::runtime::rule_set::RuleSet;
pub use crate::rules::stream::evaluator::Evaluator;
pub use crate::rules::stream::unlogged_change::{BUILT_IN_RULES, UnloggedChangeRule};
pub use crate::rules::stream::workers::RuleWorkers;
pub use crate::rules::testing::cases::{RuleCaseResult, run_cases, run_cases_of};
pub use crate::rules::text::error::{LoadError, LoadErrors};
pub use crate::rules::text::files::{RuleFile, RuleFiles};
pub use crate::rules::text::header::{LossKind, RuleHeader, RuleSeverity};
pub use crate::rules::text::params::{RuleBudget, RuleParam, RuleParams};
pub use crate::rules::text::rule_mode::RuleMode;
pub use crate::rules::views::trace::{FindingDetail, TracedInput, TracedRead};
