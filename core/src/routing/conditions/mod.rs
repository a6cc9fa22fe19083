//! Conditions: Rhai expressions that say whether a channel may take an order. They
//! see the order, the channel and the rule's details, and nothing else: no clock, no
//! I/O, no floats, no statements, and a limit on everything.

mod compare;
mod details;
mod engine;
mod variables;
pub mod windows;

#[cfg(test)]
mod tests;

pub use details::{ConditionDetail, ConditionDetails, TextList, named_windows};
pub use engine::{CompiledCondition, ConditionEngine};
pub use variables::{CHANNEL_VARIABLE, CONDITION_VARIABLES, local_of};
