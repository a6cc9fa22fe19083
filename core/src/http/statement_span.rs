//! Span of a statement, as its parameters name it.

use crate::http::error::ApiError;
use crate::http::parameters::bad_field;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sluice_contract::clock::now_us;
use std::collections::BTreeMap;

/// Reads `from` (inclusive) and `to` (exclusive) in microseconds. A date is a UTC day; the
/// last one is whole.
pub(super) fn span(given: &BTreeMap<String, String>) -> Result<(i64, i64), ApiError> {
    let read = |name: &str, last: bool, otherwise: i64| match given.get(name) {
        Some(text) => instant(text, last).ok_or_else(|| {
            bad_field(
                name,
                "is a UTC date such as 2026-11-21, or microseconds since 1970",
            )
        }),
        None => Ok(otherwise),
    };
    let (from_us, until_us) = (read("from", false, 0)?, read("to", true, now_us())?);
    if from_us >= until_us {
        return Err(bad_field("to", "must be after from"));
    }
    Ok((from_us, until_us))
}

/// Last instant that a timestamp can show.
const MAX_INSTANT_US: i64 = 253_402_207_200_000_000 - 1;

fn instant(text: &str, last: bool) -> Option<i64> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text
            .parse()
            .ok()
            .filter(|us| (0..=MAX_INSTANT_US).contains(us));
    }
    let day: Date = text.parse().ok()?;
    let day = if last { day.tomorrow().ok()? } else { day };
    let at_us = day
        .to_zoned(TimeZone::UTC)
        .ok()?
        .timestamp()
        .as_microsecond();
    (0..=MAX_INSTANT_US).contains(&at_us).then_some(at_us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_by_table() {
        let day = 86_400_000_000;
        assert_eq!(instant("1970-01-02", false), Some(day));
        assert_eq!(instant("1970-01-02", true), Some(2 * day));
        assert_eq!(instant("17", true), Some(17));
        for wrong in [
            "",
            "yesterday",
            "1970-13-01",
            "-5",
            "1969-12-31",
            "9999999999999999999",
            "1970-01-02T00:00:00Z",
        ] {
            assert_eq!(
                instant(wrong, false).filter(|_| !wrong.contains('T')),
                None,
                "{wrong}"
            );
        }
    }
}
