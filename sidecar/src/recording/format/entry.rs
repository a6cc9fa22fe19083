//! Entries of a recording.

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
