//! Recordings: what the evaluator saw, in its order, so that a rule can be tried
//! on yesterday. A folder of segments, each a row of compressed blocks with a
//! checksum (docs/RECORDINGS.md).
//!
//! A recording holds exactly the evaluator's inputs and, between them, marks:
//! where an evaluator began anew, which rules were in force, what is missing.

pub mod binlog_files;
mod format;
pub mod read;
pub mod recorder;
pub mod settings;
pub mod write;

#[cfg(test)]
mod any_record;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod disk_tests;
#[cfg(test)]
mod format_tests;
#[cfg(test)]
mod samples;

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

/// A mark: no input, but it changes what inputs mean.
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
