//! A collector in the test's process: takes OTLP over HTTP and keeps every span.

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Spans arrive within this, or something is wrong.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Span as it was exported.
#[derive(Debug, Clone)]
pub struct CollectedSpan {
    pub service: String,
    pub name: String,
    pub trace: String,
    pub id: String,
    pub parent: String,
}

/// Everything that was exported to this address.
#[derive(Clone)]
pub struct SpanCollector {
    pub endpoint: String,
    exports: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

impl SpanCollector {
    pub async fn start() -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}/v1/traces", listener.local_addr()?);
        let exports: Arc<Mutex<Vec<ExportTraceServiceRequest>>> = Arc::default();
        let kept = exports.clone();
        let take = move |body: Bytes| async move {
            let Ok(export) = ExportTraceServiceRequest::decode(body) else {
                return StatusCode::BAD_REQUEST;
            };
            kept.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(export);
            StatusCode::OK
        };
        let app = Router::new().route("/v1/traces", post(take));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(SpanCollector { endpoint, exports })
    }

    /// Settings that export everything to here, for core and sidecar.
    pub fn settings(&self) -> String {
        let endpoint = &self.endpoint;
        format!("traces.endpoint = \"{endpoint}\"\ntraces.sample_ratio = 1.0\n")
    }

    /// Everything that came, in words: names, attributes and resources.
    pub fn text(&self) -> String {
        format!(
            "{:?}",
            self.exports.lock().unwrap_or_else(PoisonError::into_inner)
        )
    }

    /// Spans of the trace.
    pub fn spans(&self, trace: &str) -> Vec<CollectedSpan> {
        let exports = self.exports.lock().unwrap_or_else(PoisonError::into_inner);
        let all = exports.iter().flat_map(|export| &export.resource_spans);
        let mut found = Vec::new();
        for of in all {
            let attributes = of.resource.iter().flat_map(|r| &r.attributes);
            let service = attributes
                .filter(|a| a.key == "service.name")
                .map(|a| format!("{:?}", a.value))
                .collect::<String>();
            for span in of.scope_spans.iter().flat_map(|scope| &scope.spans) {
                found.push(CollectedSpan {
                    service: service.clone(),
                    name: span.name.clone(),
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                });
            }
        }
        found.retain(|span| span.trace == trace);
        found
    }

    /// Waits until the trace has a span of each name; returns all of it.
    pub async fn wait_for(
        &self,
        trace: &str,
        names: &[&str],
    ) -> anyhow::Result<Vec<CollectedSpan>> {
        let begun = Instant::now();
        loop {
            let spans = self.spans(trace);
            let is_there = |name: &&str| spans.iter().any(|span| span.name == *name);
            if names.iter().all(is_there) {
                return Ok(spans);
            }
            let missing: Vec<_> = names.iter().filter(|name| !is_there(name)).collect();
            anyhow::ensure!(
                begun.elapsed() < WAIT_TIMEOUT,
                "no span {missing:?} of {trace}, only {spans:#?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
