//! Latencies as percentiles in milliseconds.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Milliseconds with two decimals.
#[derive(Debug, Clone, Serialize)]
pub struct LatencyMs {
    pub p50: f64,
    pub p99: f64,
}

impl LatencyMs {
    pub fn of(microseconds: &Histogram<u64>) -> Self {
        LatencyMs {
            p50: ms(microseconds.value_at_quantile(0.5)),
            p99: ms(microseconds.value_at_quantile(0.99)),
        }
    }
}

/// Microseconds as milliseconds: a time, never money.
#[allow(clippy::float_arithmetic)]
pub fn ms(us: u64) -> f64 {
    (us / 10) as f64 / 100.0
}
