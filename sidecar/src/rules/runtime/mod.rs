//! The runtime of rules: the engine, rule sets, and one input's calls with their findings.

pub mod answers;
pub mod call_context;
pub mod call_detail;
pub mod comparisons;
pub mod engine;
pub mod finding;
pub mod make_finding;
pub mod rule_call;
pub mod rule_meter;
pub mod rule_plan;
pub mod rule_selection;
pub mod rule_set;
pub mod undetermined;
