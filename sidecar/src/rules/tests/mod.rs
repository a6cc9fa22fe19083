//! Tests of evaluation, and the folders, inputs and findings that all tests of rules share.

mod cases;
mod comparisons;
mod coverage;
mod determinism;
mod explanations;
mod folder;
mod found;
mod hostile;
mod inputs;
mod memory;
mod provenance;
mod values;
mod windows;
mod workers;

pub use crate::rules::tests::folder::{
    BALANCE_TRIGGER, TestRuleFolder, WINDOW_TRIGGER, key, rule, shipped, with_header,
};
pub use crate::rules::tests::found::{inputs, reads, run, violations};
pub use crate::rules::tests::inputs::{
    at, balance, deposit, insert, money, payment, text, transaction, update,
};
