//! Settings of what rules remember: where it is written, how often, and how much it may be.

use anyhow::bail;
use serde::Deserialize;
use sluice_contract::settings::in_range;
use std::path::PathBuf;
use std::time::Duration;

/// Memory of rules and the folder of its file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StateSettings {
    /// Folder of the file; made if it isn't there. Without one a restart reads the binlog
    /// again from the oldest thing that a rule remembers.
    pub dir: Option<PathBuf>,
    /// Time between two writings, in ms.
    pub interval_ms: u64,
    /// Memory of all windows and pairs together, in MiB.
    pub memory_mb: u64,
}

impl Default for StateSettings {
    fn default() -> Self {
        StateSettings {
            dir: None,
            interval_ms: 10_000,
            memory_mb: 1_024,
        }
    }
}

impl StateSettings {
    /// Refuses what can't work.
    ///
    /// # Errors
    /// The first key that is wrong, by its name.
    pub fn check(&self) -> anyhow::Result<()> {
        in_range("state.interval_ms", self.interval_ms, 50..=3_600_000)?;
        in_range("state.memory_mb", self.memory_mb, 16..=1_048_576)?;
        if self
            .dir
            .as_ref()
            .is_some_and(|dir| dir.as_os_str().is_empty())
        {
            bail!("state.dir is empty; name a folder, or leave it out");
        }
        Ok(())
    }

    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }

    pub fn memory_bytes(&self) -> usize {
        usize::try_from(self.memory_mb.saturating_mul(1 << 20)).unwrap_or(usize::MAX)
    }
}
