//! Shadow: candidates and rules in shadow, evaluated beside the armed ones and never before
//! them. Nothing that they do reaches back (decision 030):
//!
//! | part | where | bound |
//! |---|---|---|
//! | tap of the armed evaluator | `tap`, `queue` | a queue that drops when it is full |
//! | evaluator, on a thread of its own | `evaluator` | processor time of each rule, `budget` |
//! | what it missed | `trial_log` | a gap says from when until when, and why |
//! | writer of verdicts and trials | `writer` | no lock that an armed commit waits for |

pub mod budget;
mod evaluator;
mod panics;
pub mod queue;
pub mod tap;
mod trial_log;
mod writer;

#[cfg(test)]
mod tests;

pub use crate::pipeline::shadow::evaluator::{ShadowEvaluator, ShadowFindings};
pub use crate::pipeline::shadow::tap::ShadowTap;
pub use crate::pipeline::shadow::writer::ShadowWriter;

use crate::pipeline::shadow::queue::{ShadowFeed, ShadowQueue};
use tokio::sync::mpsc;

/// Rows between the armed evaluator and shadow: half of what is between sources and the
/// armed one, 50 MB at most of ordinary rows.
const MAX_QUEUED_ROWS: u64 = 32 * 1_024;
/// Results between shadow and its writer, each of one batch; past it shadow waits.
const MAX_QUEUED_FINDINGS: usize = 16;

/// The queue of inputs to shadow.
pub fn inputs() -> (ShadowFeed, ShadowQueue) {
    ShadowQueue::holding(MAX_QUEUED_ROWS)
}

/// The queue of results to the writer.
pub fn findings() -> (mpsc::Sender<ShadowFindings>, mpsc::Receiver<ShadowFindings>) {
    mpsc::channel(MAX_QUEUED_FINDINGS)
}
