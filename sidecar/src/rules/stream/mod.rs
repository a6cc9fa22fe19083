//! Evaluation of the stream of changes and events, in order, on one or several workers.

pub mod assignment;
pub mod dedup;
pub mod evaluate;
pub mod ordering;
pub mod state_successors;
pub mod unlogged_change;
pub mod workers;
