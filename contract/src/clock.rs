//! The only place that reads the wall clock. Every stored time is a whole number
//! of microseconds since 1970 UTC (`*_us`): exact, without a time zone, and an
//! integer for rules.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970 UTC.
#[allow(clippy::disallowed_methods)]
pub fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// A channel's trade time, `YYYYMMDDhhmmss` in the channel's own zone. It is made
/// once, at the first claim, and then stored (seed 002 §3.2: channels promise
/// idempotency for one serial number on one trade date only).
pub fn trade_time(at_us: i64, zone: &str) -> anyhow::Result<String> {
    let at = jiff::Timestamp::from_microsecond(at_us)?.in_tz(zone)?;
    Ok(at.strftime("%Y%m%d%H%M%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::trade_time;

    #[test]
    fn trade_time_is_in_the_channels_zone() -> anyhow::Result<()> {
        // 2026-11-21T18:30:00Z is already the next day in Shanghai.
        assert_eq!(trade_time(1_795_285_800_000_000, "Asia/Shanghai")?, "20261122023000");
        assert_eq!(trade_time(1_795_285_800_000_000, "UTC")?, "20261121183000");
        Ok(())
    }
}
