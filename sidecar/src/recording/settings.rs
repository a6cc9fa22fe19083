//! Settings of recordings.

pub use crate::recording::write::MIN_RECORDING_MB;

use serde::Deserialize;
use std::path::PathBuf;

/// The folder to record into, and its bound.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordSettings {
    /// A folder of its own; made if it isn't there.
    pub dir: PathBuf,
    /// MiB; the oldest part goes.
    #[serde(default = "default_max_mb")]
    pub max_mb: u64,
}

/// Some twenty million row changes.
pub fn default_max_mb() -> u64 {
    1_024
}
