//! Settings of accepting.

use anyhow::Context;
use serde::Deserialize;
use sluice_contract::clock::now_us;
use sluice_contract::settings::in_range;

/// Days after `accept.unsealed_until` for which it counts: a roll-out takes no longer.
const MAX_UNSEALED_DAYS: i64 = 7;

/// Group commit of requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcceptConfig {
    /// Connections that write accept transactions side by side.
    pub writers: usize,
    /// Most requests in one transaction: larger batches were no faster when measured.
    pub max_batch: usize,
    /// Shortest time between two batches of a writer, unless one is full: what a
    /// request may wait so that many share a commit.
    pub linger_ms: u64,
    /// Requests that may wait per writer before callers get 503.
    pub queue_capacity: usize,
    /// Largest request body in bytes.
    pub max_body_bytes: usize,
    /// Orders made before this time (RFC 3339, UTC) may lack seals: the end of the roll-out
    /// that brings them. Without it, such an order is a case.
    pub unsealed_until: Option<String>,
    /// Whether a payment whose event named no payer may be refunded to anybody.
    pub refund_unknown_payer: bool,
}

impl Default for AcceptConfig {
    fn default() -> Self {
        AcceptConfig {
            writers: 2,
            max_batch: 128,
            linger_ms: 8,
            queue_capacity: 4_096,
            max_body_bytes: 16_384,
            unsealed_until: None,
            refund_unknown_payer: false,
        }
    }
}

impl AcceptConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        in_range("accept.writers", self.writers as u64, 1..=64)?;
        in_range("accept.max_batch", self.max_batch as u64, 1..=512)?;
        // A caller waits for it with each request.
        in_range("accept.linger_ms", self.linger_ms, 0..=1_000)?;
        let queue = self.queue_capacity as u64;
        in_range("accept.queue_capacity", queue, 1..=1_000_000)?;
        // Every request under way may hold one in memory.
        let body = self.max_body_bytes as u64;
        in_range("accept.max_body_bytes", body, 1_024..=1_048_576)?;
        self.unsealed_until_ms()?;
        Ok(())
    }

    /// End of the time in which orders may lack seals, in ms since 1970 UTC; 0 for none.
    ///
    /// # Errors
    /// No time of the form `2026-12-01T12:00:00Z`.
    pub fn unsealed_until_ms(&self) -> anyhow::Result<i64> {
        let Some(text) = &self.unsealed_until else {
            return Ok(0);
        };
        let until: jiff::Timestamp = text.parse().with_context(|| {
            format!("accept.unsealed_until = {text:?} is no time such as 2026-12-01T12:00:00Z")
        })?;
        let days = (now_us() / 1_000 - until.as_millisecond()) / 86_400_000;
        if days > MAX_UNSEALED_DAYS {
            // No refused start: a line that was harmless yesterday must not keep every core down.
            tracing::error!(
                "accept.unsealed_until = {text:?} was {days} days ago and counts no more: the roll-out is over, take \
                 the line out (an order without seals may be anybody's)"
            );
            return Ok(0);
        }
        Ok(until.as_millisecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roll_out_that_is_long_over_forgives_nothing_and_stops_no_start() {
        let until = |text: &str| {
            let config = AcceptConfig {
                unsealed_until: Some(text.to_owned()),
                ..AcceptConfig::default()
            };
            config.unsealed_until_ms().ok()
        };
        let days_ago = |days: i64| {
            let us = now_us() - days * 86_400_000_000;
            jiff::Timestamp::from_microsecond(us).unwrap()
        };
        let lately = days_ago(6);
        assert_eq!(until(&lately.to_string()), Some(lately.as_millisecond()));
        assert_eq!(until(&days_ago(9).to_string()), Some(0));
        assert_eq!(until("tomorrow"), None);
    }
}
