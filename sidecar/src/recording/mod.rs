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

pub use crate::recording::format::entry::{RecordingEntry, RecordingMark};
pub use crate::recording::read::RecordingReader;
pub use crate::recording::recorder::{Recorder, RecordingTap};
pub use crate::recording::write::RecordingWriter;
