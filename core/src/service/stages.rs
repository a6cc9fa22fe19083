//! The stages in which the core's parts stop: what brings work in first, what others
//! still need last.

use anyhow::ensure;
use sluice_contract::supervisor::Supervisor;
use sluice_contract::telemetry::Readiness;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long each stage may take, in the order of `CoreStages::in_order`. Requests have
/// as long as callers wait for; calls under way as long as a channel's usual deadline.
pub(super) const STOP_DEADLINES: [Duration; 6] = [
    Duration::from_secs(10),
    Duration::from_secs(5),
    Duration::from_secs(5),
    Duration::from_secs(5),
    Duration::from_secs(5),
    Duration::from_secs(1),
];

/// The same after a part has ended by itself: recovery finds what is cut off.
pub(super) const STOP_DEADLINES_AFTER_FAILURE: [Duration; 6] = [Duration::from_secs(1); 6];

/// Sets of parts, one per stage; their ends all come to `base`.
pub(super) struct CoreStages {
    pub entrances: Supervisor,
    pub senders: Supervisor,
    pub writers: Supervisor,
    pub saga: Supervisor,
    pub publishing: Supervisor,
    pub base: Supervisor,
    pub readiness: Readiness,
}

impl CoreStages {
    pub fn new(readiness: Readiness) -> Self {
        let base = Supervisor::new(readiness.clone(), CancellationToken::new());
        CoreStages {
            entrances: base.group(),
            senders: base.group(),
            writers: base.group(),
            saga: base.group(),
            publishing: base.group(),
            base,
            readiness,
        }
    }

    fn in_order(&self) -> [(&'static str, &Supervisor); 6] {
        [
            ("entrances", &self.entrances),
            ("senders", &self.senders),
            ("writers", &self.writers),
            ("saga", &self.saga),
            ("publishing", &self.publishing),
            ("base", &self.base),
        ]
    }

    /// Stops one stage after the other. What is cut off at a deadline is found again,
    /// by callers' repeats, polling or recovery, so that alone is no failure.
    ///
    /// # Errors
    /// Names of parts that failed or panicked while they stopped.
    pub async fn stop(&self, deadlines: &[Duration; 6]) -> anyhow::Result<()> {
        let reason = "the core is stopping".to_owned();
        self.readiness.set("stopping", Some(reason));
        let mut failed = Vec::new();
        for ((stage, parts), deadline) in self.in_order().into_iter().zip(deadlines) {
            if let Err(unfinished) = parts.stop(*deadline).await {
                tracing::warn!(stage, "{unfinished}");
                failed.extend(unfinished.failed.iter().map(ToString::to_string));
            }
        }
        ensure!(failed.is_empty(), "while stopping: {}", failed.join("; "));
        Ok(())
    }
}
