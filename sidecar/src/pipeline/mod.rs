//! Read → evaluate → commit → announce, in that order and never otherwise.
//!
//! One thread evaluates, so that the same input gives the same verdicts. Each part
//! talks to the next through one bounded queue; a slow part holds all earlier ones
//! back and nothing is dropped.

pub mod barrier;
pub mod commit;
pub mod elsewhere;
pub mod evaluate;
pub mod readers;
pub mod replay;
pub mod repo;
pub mod session;

use crate::sources::{BinlogBatch, KafkaBatch};

/// What the evaluator eats, in the order of arrival.
#[derive(Debug)]
pub enum Feed {
    Binlog(BinlogBatch),
    Kafka(KafkaBatch),
    Passage(barrier::Passage),
    Elsewhere(elsewhere::Answer),
}

/// Batches between sources and evaluator: some 64 × 1,024 changes, 100 MB at most
/// of ordinary rows, and a fraction of a second of work.
pub const FEED_QUEUE: usize = 64;
/// Results between evaluator and committer; each is small, and the committer takes
/// all that are there at once.
pub const RESULT_QUEUE: usize = 256;
