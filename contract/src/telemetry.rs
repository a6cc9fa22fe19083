//! Logs, readiness and metrics: the face both programs show to operators.

use crate::heartbeat::Heartbeat;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use prometheus::{Encoder, TextEncoder};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Starts logging to standard error: `RUST_LOG` picks levels (`usual` if unset),
/// `SLUICE_LOG=json` picks JSON.
pub fn start_logging(usual: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(usual));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start (in tests) keeps the first subscriber.
    let _ = if std::env::var("SLUICE_LOG").is_ok_and(|v| v == "json") {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_ansi(false).try_init()
    };
}

/// TLS needs one process-wide provider; two are in the dependency tree.
pub fn install_crypto() {
    // An error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Reasons why a program is not ready, by name, and the signs of life of its parts.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<ReadinessState>>);

#[derive(Debug, Default)]
struct ReadinessState {
    reasons: BTreeMap<String, String>,
    beats: Vec<(String, Heartbeat)>,
}

impl Readiness {
    /// `waiting_for` is `None` once the part is ready.
    pub fn set(&self, part: &str, waiting_for: Option<String>) {
        let mut state = self.lock();
        match waiting_for {
            Some(reason) => state.reasons.insert(part.to_owned(), reason),
            None => state.reasons.remove(part),
        };
    }

    /// Counts a part as a reason for as long as its sign of life is missing.
    pub fn watch(&self, part: &str, beat: Heartbeat) {
        self.lock().beats.push((part.to_owned(), beat));
    }

    pub fn waits_for(&self) -> BTreeMap<String, String> {
        let state = self.lock();
        let mut all = state.reasons.clone();
        for (part, beat) in &state.beats {
            if let Some(why) = beat.silence() {
                all.insert(format!("part {part}"), why);
            }
        }
        all
    }

    fn lock(&self) -> MutexGuard<'_, ReadinessState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `/live`, `/ready` (503 with what it waits for) and `/metrics`.
pub fn router(readiness: Readiness) -> Router {
    Router::new()
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(move || ready(readiness.clone())))
        .route("/metrics", get(metrics))
}

async fn ready(readiness: Readiness) -> (StatusCode, Json<serde_json::Value>) {
    let waits = readiness.waits_for();
    let status = if waits.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(serde_json::json!({ "ready": waits.is_empty(), "waits_for": waits })),
    )
}

async fn metrics() -> Result<String, StatusCode> {
    let mut text = Vec::new();
    TextEncoder::new()
        .encode(&prometheus::gather(), &mut text)
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    String::from_utf8(text).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

/// Microseconds as Prometheus' seconds. Times only, never money.
#[allow(clippy::float_arithmetic)]
pub fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}

/// Buckets from 0.5 ms to 30 s for every latency in Sluice.
pub const LATENCY_BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];
