//! The measurements of a run of load.

use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest latency told apart, in microseconds; longer ones count as this.
const MAX_LATENCY_US: u64 = 600_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

#[derive(Debug, Clone)]
pub struct LoadReport {
    /// Microseconds from sending (closed) or from the scheduled instant (open) to
    /// the end of the answer.
    pub latency: Histogram<u64>,
    /// Microseconds by which requests left later than scheduled. Large values
    /// mean that the generator or its connections were the limit. Open load only.
    pub send_lag: Histogram<u64>,
    /// Answers by HTTP status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without an answer: refused, cut off, timed out. What became of
    /// them is unknown.
    pub unanswered: u64,
    /// The first such error, for people.
    pub first_error: Option<String>,
    pub elapsed: Duration,
}

impl LoadReport {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(LoadReport {
            latency: Histogram::new_with_max(MAX_LATENCY_US, SIGNIFICANT_DIGITS)?,
            send_lag: Histogram::new_with_max(MAX_LATENCY_US, SIGNIFICANT_DIGITS)?,
            statuses: BTreeMap::new(),
            unanswered: 0,
            first_error: None,
            elapsed: Duration::ZERO,
        })
    }

    pub fn answered(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// Answers with a 2xx.
    pub fn succeeded(&self) -> u64 {
        self.statuses.range(200..300).map(|(_, n)| n).sum()
    }

    /// Answers per second, rounded down; 0 for an empty run.
    pub fn per_second(&self) -> u64 {
        per_second(self.answered(), self.elapsed)
    }

    pub fn succeeded_per_second(&self) -> u64 {
        per_second(self.succeeded(), self.elapsed)
    }

    /// Latency in microseconds that `quantile` (0 to 1) of the answers kept to.
    pub fn latency_us(&self, quantile: f64) -> u64 {
        self.latency.value_at_quantile(quantile)
    }

    pub(super) fn count(&mut self, status: u16, latency_us: u64) {
        *self.statuses.entry(status).or_default() += 1;
        self.latency.saturating_record(latency_us);
    }

    pub(super) fn count_unanswered(&mut self, error: &std::io::Error) {
        self.unanswered += 1;
        self.first_error.get_or_insert_with(|| error.to_string());
    }

    pub(super) fn merge(&mut self, other: &LoadReport) -> anyhow::Result<()> {
        self.latency.add(&other.latency)?;
        self.send_lag.add(&other.send_lag)?;
        for (status, n) in &other.statuses {
            *self.statuses.entry(*status).or_default() += n;
        }
        self.unanswered += other.unanswered;
        self.first_error = self
            .first_error
            .take()
            .or_else(|| other.first_error.clone());
        Ok(())
    }
}

fn per_second(count: u64, elapsed: Duration) -> u64 {
    let rate = (u128::from(count) * 1_000_000)
        .checked_div(elapsed.as_micros())
        .unwrap_or(0);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// Two significant parts of a run on one line: rate, p50, p99, p99.9, errors.
impl std::fmt::Display for LoadReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let us = |q| self.latency_us(q);
        write!(
            f,
            "{}/s, p50 {} µs, p99 {} µs, p99.9 {} µs",
            self.per_second(),
            us(0.5),
            us(0.99),
            us(0.999)
        )?;
        for (status, n) in self
            .statuses
            .iter()
            .filter(|(status, _)| !(200..300).contains(*status))
        {
            write!(f, ", {n} × HTTP {status}")?;
        }
        match &self.first_error {
            Some(error) => write!(f, ", {} without an answer ({error})", self.unanswered),
            None => Ok(()),
        }
    }
}
