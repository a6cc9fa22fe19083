//! Exporter that says when spans are lost; the library's own would be silent.

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Exporter of OTLP, with its failures logged.
#[derive(Debug)]
pub(super) struct LoggedExporter {
    inner: opentelemetry_otlp::SpanExporter,
    failures: AtomicU64,
}

impl LoggedExporter {
    pub fn new(inner: opentelemetry_otlp::SpanExporter) -> Self {
        LoggedExporter {
            inner,
            failures: AtomicU64::new(0),
        }
    }
}

impl SpanExporter for LoggedExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.inner.export(batch).await;
        if let Err(error) = &exported {
            let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
            // A collector that is away for a day must not flood the log.
            if failures.is_power_of_two() {
                tracing::warn!(failures, spans, "traces: spans are lost: {error}");
            }
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
