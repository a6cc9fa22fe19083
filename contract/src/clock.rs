//! The only place that reads the wall clock. Every stored time is a whole number
//! of microseconds since 1970 UTC (`*_us`): exact, without a time zone, and an
//! integer for rules.

use anyhow::Context;
use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970 UTC.
#[allow(clippy::disallowed_methods)]
pub fn now_us() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// A channel's trade time, `YYYYMMDDhhmmss` in the channel's own zone. It is made
/// once, at the first claim, and then stored (seed 002 §3.2: channels promise
/// idempotency for one serial number on one trade date only).
///
/// `zone` is an IANA name, or a fixed offset such as `+08:00` or `+05:37:20`.
pub fn trade_time(at_us: i64, zone: &str) -> anyhow::Result<String> {
    let at = jiff::Timestamp::from_microsecond(at_us)?.to_zoned(time_zone(zone)?);
    Ok(at.strftime("%Y%m%d%H%M%S").to_string())
}

/// The zone of an IANA name, or of a fixed offset from UTC, `±hh:mm[:ss]`.
pub fn time_zone(zone: &str) -> anyhow::Result<jiff::tz::TimeZone> {
    if !zone.starts_with(['+', '-']) {
        return Ok(jiff::tz::TimeZone::get(zone)?);
    }
    let seconds = offset_seconds(zone)
        .with_context(|| format!("{zone:?} is no offset such as +08:00 or +05:37:20"))?;
    Ok(jiff::tz::Offset::from_seconds(seconds)?.to_time_zone())
}

fn offset_seconds(text: &str) -> Option<i32> {
    let (sign, digits) = text.split_at_checked(1)?;
    let parts: Vec<i32> = digits
        .split(':')
        .map(|part| {
            (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()))
                .then(|| part.parse().ok())?
        })
        .collect::<Option<_>>()?;
    let (hours, minutes, seconds) = match parts[..] {
        [h, m] => (h, m, 0),
        [h, m, s] => (h, m, s),
        _ => return None,
    };
    let within = hours < 24 && minutes < 60 && seconds < 60;
    let total = hours * 3_600 + minutes * 60 + seconds;
    within.then_some(if sign == "-" { -total } else { total })
}

#[cfg(test)]
mod tests {
    use crate::clock::trade_time;

    #[test]
    fn trade_time_is_in_the_channels_zone() -> anyhow::Result<()> {
        // 2026-11-21T18:30:00Z is already the next day in Shanghai.
        assert_eq!(
            trade_time(1_795_285_800_000_000, "Asia/Shanghai")?,
            "20261122023000"
        );
        assert_eq!(trade_time(1_795_285_800_000_000, "UTC")?, "20261121183000");
        assert_eq!(
            trade_time(1_795_285_800_000_000, "+05:30")?,
            "20261122000000"
        );
        assert_eq!(
            trade_time(1_795_285_800_000_000, "+05:29:59")?,
            "20261121235959"
        );
        assert_eq!(
            trade_time(1_795_285_800_000_000, "-01:00")?,
            "20261121173000"
        );
        Ok(())
    }

    #[test]
    fn what_is_no_zone_is_named() {
        for wrong in [
            "",
            "Mars/Base",
            "+8",
            "+08",
            "+08:0",
            "+24:00",
            "+08:60",
            "+08:00:60",
            "+08:00:00:00",
            "+é:00",
        ] {
            assert!(trade_time(0, wrong).is_err(), "{wrong}");
        }
    }
}
