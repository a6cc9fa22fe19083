//! Backtests: a rule set over a recording, with the same evaluator, windows, pairs
//! and breakers as live, and beside it the set to compare with.

pub mod comparison;
mod pass;
pub mod report;
mod run;
mod source;
pub mod variant;
pub mod verdict;
pub mod what_if;

pub use crate::backtest::report::BacktestReport;
pub use crate::backtest::run::run;
pub use crate::backtest::source::{BacktestOptions, BacktestProgress, BacktestSource};

#[cfg(test)]
mod tests;
