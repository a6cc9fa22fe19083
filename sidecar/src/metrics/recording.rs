//! Metrics of the recording.

use crate::metrics::registry::{counter, gauge};
use prometheus::{IntCounter, IntGauge};

/// State of the recording, and inputs that it has and misses.
pub struct RecordingMetrics {
    pub running: IntGauge,
    pub wanted: IntGauge,
    pub recorded: IntCounter,
    pub lost: IntCounter,
}

impl RecordingMetrics {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(RecordingMetrics {
            running: gauge(
                "sluice_sidecar_recording",
                "1 while what is evaluated is recorded",
            )?,
            wanted: gauge(
                "sluice_sidecar_recording_enabled",
                "1 if a recording was asked for",
            )?,
            recorded: counter(
                "sluice_sidecar_recorded_inputs_total",
                "Inputs and marks recorded",
            )?,
            lost: counter(
                "sluice_sidecar_recording_lost_inputs_total",
                "Inputs that a recording misses",
            )?,
        })
    }
}
