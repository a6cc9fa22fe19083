//! Commands of operators and risk engineers.

pub mod audit;
pub mod backtest;
pub mod backtest_table;
pub mod events;
pub mod junit;
pub mod orders;
pub mod record;
pub mod routing;
pub mod rule_sets;
pub mod rule_text;
pub mod rules;
