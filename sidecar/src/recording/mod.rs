//! Recordings: what the evaluator saw, in its order, so that a rule can be tried
//! on yesterday. A folder of segments, each a row of compressed blocks with a
//! checksum (docs/RECORDINGS.md).
//!
//! What is written is exactly the evaluator's inputs and, between them, marks:
//! where an evaluator began anew, which rules were in force, what is missing.

mod decode;
mod encode;
mod frame;
pub mod read;
mod segment;
mod wire;
pub mod write;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_damage;

pub mod binlog_files;
pub mod recorder;
pub mod settings;

pub use crate::recording::read::RecordingReader;
pub use crate::recording::recorder::{Recorder, RecordingTap};
pub use crate::recording::write::RecordingWriter;

use crate::stream::change::RuleInput;
use std::sync::Arc;

/// Version of the format; a reader refuses what is newer.
pub const FORMAT_VERSION: u64 = 1;

/// One entry of a recording.
#[derive(Debug, Clone)]
pub enum RecordingEntry {
    Input(RuleInput),
    Mark(RecordingMark),
}

/// What is not an input but changes what inputs mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordingMark {
    /// A new evaluator begins, with nothing remembered. `mid_stream`: what came just
    /// before it was not recorded, so that partners may lie there.
    Begin { mid_stream: bool, rules: Arc<str> },
    /// Another rule set is in force.
    Rules { hash: Arc<str> },
    /// Inputs came that were not recorded; 0 if nobody knows how many.
    Gap { lost: u64 },
}
