//! The runtime of rules: engine, types, views, and one call.

pub mod call_context;
pub mod engine;
pub mod fact_view;
pub mod finding;
pub mod limits;
pub mod provenance;
pub mod rule_call;
pub mod rule_set;
pub mod sums;
pub mod trace;
pub mod tx;
pub mod types;
pub mod window_view;
