//! Times that others write as plain numbers. A number says nothing of its unit, but only
//! one unit puts it into this century: a wrong one is refused, and named.

/// Beginning of the years that count as sane, 2000-01-01, and their end, 2100-01-01, in
/// seconds since 1970 UTC.
const FIRST_S: i64 = 946_684_800;
const END_S: i64 = 4_102_444_800;

/// Furthest that a time may be ahead of our own clock, in microseconds: a day, since clocks
/// are off and local times are taken for UTC.
const MAX_AHEAD_US: i64 = 86_400_000_000;

/// Unit of a number that stands for a time since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl TimeUnit {
    const ALL: [TimeUnit; 4] = [
        TimeUnit::Seconds,
        TimeUnit::Milliseconds,
        TimeUnit::Microseconds,
        TimeUnit::Nanoseconds,
    ];

    fn per_second(self) -> i64 {
        match self {
            TimeUnit::Seconds => 1,
            TimeUnit::Milliseconds => 1_000,
            TimeUnit::Microseconds => 1_000_000,
            TimeUnit::Nanoseconds => 1_000_000_000,
        }
    }

    /// The unit in which the number is a time of this century, if there is one.
    pub fn of(number: i64) -> Option<TimeUnit> {
        TimeUnit::ALL.into_iter().find(|unit| {
            let scale = unit.per_second();
            (FIRST_S * scale..END_S * scale).contains(&number)
        })
    }

    /// The unit's name.
    pub fn as_str(self) -> &'static str {
        match self {
            TimeUnit::Seconds => "seconds",
            TimeUnit::Milliseconds => "milliseconds",
            TimeUnit::Microseconds => "microseconds",
            TimeUnit::Nanoseconds => "nanoseconds",
        }
    }
}

/// Whether a time is further ahead of `now_us` than clocks and zones explain; both in
/// microseconds since 1970 UTC.
pub fn is_ahead(at_us: i64, now_us: i64) -> bool {
    at_us > now_us.saturating_add(MAX_AHEAD_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_unit_in_this_century() {
        let now_s = 1_795_288_380;
        let cases = [
            (now_s, Some(TimeUnit::Seconds)),
            (now_s * 1_000, Some(TimeUnit::Milliseconds)),
            (now_s * 1_000_000 + 88_658, Some(TimeUnit::Microseconds)),
            (now_s * 1_000_000_000, Some(TimeUnit::Nanoseconds)),
            (FIRST_S, Some(TimeUnit::Seconds)),
            (FIRST_S - 1, None),
            (END_S, None),
            (END_S * 1_000_000_000, None),
            (0, None),
            (-1, None),
            (-now_s * 1_000_000, None),
            (i64::MAX, None),
            (i64::MIN, None),
        ];
        for (number, want) in cases {
            assert_eq!(TimeUnit::of(number), want, "{number}");
        }
    }

    #[test]
    fn a_day_ahead_is_the_most() {
        assert!(!is_ahead(MAX_AHEAD_US + 7, 7) && is_ahead(MAX_AHEAD_US + 8, 7));
        assert!(!is_ahead(i64::MAX, i64::MAX) && !is_ahead(i64::MIN, 0));
    }
}
