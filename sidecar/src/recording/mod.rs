//! Recordings: what the evaluator saw, in its order, so that a rule can be tried
//! on yesterday. A folder of segments, each a row of compressed blocks with a
//! checksum (docs/RECORDINGS.md).
//!
//! What is written is exactly the evaluator's inputs and, between them, marks:
//! where an evaluator began anew, which rules were in force, what is missing.

pub mod binlog;
mod decode;
mod encode;
mod frame;
pub mod live;
pub mod read;
mod segment;
pub mod tap;
mod wire;
pub mod write;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_damage;

pub use read::Reader;
pub use tap::{Recorder, Tap};
pub use write::Writer;

use crate::change::Input;
use std::sync::Arc;

/// Version of the format; a reader refuses what is newer.
pub const VERSION: u64 = 1;

/// One entry of a recording.
#[derive(Debug, Clone)]
pub enum Record {
    Input(Input),
    Mark(Mark),
}

/// What is not an input but changes what inputs mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// A new evaluator begins, with nothing remembered. `mid_stream`: what came just
    /// before it was not recorded, so that partners may lie there.
    Begin { mid_stream: bool, rules: Arc<str> },
    /// Another rule set is in force.
    Rules { hash: Arc<str> },
    /// Inputs came that were not recorded; 0 if nobody knows how many.
    Gap { lost: u64 },
}
