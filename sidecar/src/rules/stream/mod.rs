//! Evaluation of the stream of changes and events, in order, on one or several workers.

pub mod active_rules;
pub mod assignment;
pub mod audit_run;
pub mod dedup;
pub mod evaluate;
pub mod evaluator;
pub mod frozen_evaluator;
pub mod memory_shares;
pub mod ordering;
pub mod pause;
pub mod restore;
pub mod resume;
pub mod state_successors;
pub mod swap;
pub mod unlogged_change;
pub mod watermark;
pub mod worker;
pub mod worker_state;
pub mod workers;
