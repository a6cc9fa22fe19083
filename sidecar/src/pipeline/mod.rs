//! Read → evaluate → commit → announce, in that order and never otherwise. Rules in shadow
//! are evaluated beside it (`shadow`), and nothing here waits for them.
//!
//! One thread evaluates, so that the same input gives the same verdicts. Each part
//! talks to the next through one bounded queue; a slow part holds all earlier ones
//! back and nothing is dropped.

pub mod commit;
pub mod evaluate;

pub mod gate;
pub mod lag;
pub mod leadership;
pub mod resume_points;
pub mod server_positions;
pub mod shadow;
pub mod standalone_recorder;

/// Batches between sources and evaluator: some 64 × 1,024 changes, 100 MB at most
/// of ordinary rows, and a fraction of a second of work.
pub const MAX_QUEUED_MESSAGES: usize = 64;
/// Results between evaluator and committer; each is small, and the committer takes
/// all that are there at once.
pub const MAX_QUEUED_RESULTS: usize = 256;
