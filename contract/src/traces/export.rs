//! Export of spans: a queue in memory, a thread of the library, and a collector that may be
//! slow or gone. A full queue drops spans; nobody waits for it.

use crate::traces::TraceSettings;
use crate::traces::exporter::LoggedExporter;
use anyhow::Context;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider,
};
use std::sync::OnceLock;
use std::time::Duration;

/// Spans that wait at most (some 4 MB); the rest is dropped.
const MAX_QUEUED_SPANS: usize = 8_192;
const MAX_SPANS_PER_EXPORT: usize = 1_024;
const EXPORT_INTERVAL: Duration = Duration::from_millis(500);
/// Deadline of one export.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);
/// Bound of the last export, when the program ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// One for the program, like its log.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

pub(super) fn tracer() -> Option<&'static SdkTracer> {
    TRACER.get()
}

/// Tells whether spans are exported at all.
pub fn is_on() -> bool {
    TRACER.get().is_some()
}

/// Export that runs; `stop` flushes it.
#[must_use = "without `stop` the last spans are lost"]
#[derive(Debug)]
pub struct TraceExport(Option<SdkTracerProvider>);

/// Starts the export, if there is an endpoint. Call it before the runtime starts: its
/// client blocks a thread of its own. `instance` is this program's name among its like.
///
/// # Errors
/// The client can't be made; an endpoint that doesn't answer is no error.
pub fn start(
    settings: &TraceSettings,
    service: &'static str,
    instance: &str,
) -> anyhow::Result<TraceExport> {
    if settings.endpoint.is_empty() {
        return Ok(TraceExport(None));
    }
    crate::telemetry::install_crypto();
    let client = reqwest::blocking::Client::builder()
        .no_proxy()
        .connect_timeout(EXPORT_TIMEOUT)
        .timeout(EXPORT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .context("traces: HTTP client")?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&settings.endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .context("traces.endpoint")?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(MAX_QUEUED_SPANS)
        .with_max_export_batch_size(MAX_SPANS_PER_EXPORT)
        .with_scheduled_delay(EXPORT_INTERVAL)
        .build();
    let processor = BatchSpanProcessor::builder(LoggedExporter::new(exporter))
        .with_batch_config(batches)
        .build();
    let of_root = Sampler::TraceIdRatioBased(settings.sample_ratio);
    let provider = SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_sampler(Sampler::ParentBased(Box::new(of_root)))
        .with_resource(resource(service, instance))
        .build();
    // A second start (in tests) keeps the first.
    let _ = TRACER.set(provider.tracer("sluice"));
    Ok(TraceExport(Some(provider)))
}

/// Names the program, and nothing of its machine.
fn resource(service: &'static str, instance: &str) -> Resource {
    Resource::builder_empty()
        .with_service_name(service)
        .with_attribute(opentelemetry::KeyValue::new(
            "service.instance.id",
            instance.to_owned(),
        ))
        .build()
}

impl TraceExport {
    /// Sends what is left, within a bound. Call it after the runtime has ended.
    pub fn stop(self) {
        let Some(provider) = self.0 else { return };
        if let Err(error) = provider.shutdown_with_timeout(FLUSH_TIMEOUT) {
            tracing::warn!("the last spans may be lost: {error}");
        }
    }
}
