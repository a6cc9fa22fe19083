//! Windows of time such as a bank's maintenance, in a channel's own zone:
//! `daily 01:00-02:30`, `sat 00:00-24:00`, `mon-fri 23:30-00:15` (begins on those
//! days, ends on the next), `2026-12-31 22:00-2027-01-01 02:00`. The end is outside.

use anyhow::{Context, ensure};
use jiff::civil::{Date, DateTime, Time, Weekday};

const DAY_S: i32 = 86_400;
const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// On these days (Monday first) from second to second of the day; an end before
    /// the start is on the next day.
    Weekly {
        days: [bool; 7],
        from: i32,
        to: i32,
    },
    Once {
        from: DateTime,
        to: DateTime,
    },
}

impl Window {
    pub fn parse(text: &str) -> anyhow::Result<Window> {
        let told = || {
            format!(
                "window {text:?}: write it as \"daily 01:00-02:30\", \"sat 00:00-24:00\" or \"2026-12-31 22:00-2027-01-01 02:00\""
            )
        };
        let (day, times) = text.trim().split_once(' ').with_context(told)?;
        if day.len() == 10 {
            return once(text.trim()).with_context(told);
        }
        let (from, to) = times.trim().split_once('-').with_context(told)?;
        let (from, to) = (
            second(from).with_context(told)?,
            second(to).with_context(told)?,
        );
        ensure!(
            from != to && from < DAY_S,
            "window {text:?} has no length: 00:00-24:00 is a whole day"
        );
        Ok(Window::Weekly {
            days: days(day).with_context(told)?,
            from,
            to,
        })
    }

    pub fn holds(&self, at: DateTime) -> bool {
        match self {
            Window::Once { from, to } => *from <= at && at < *to,
            Window::Weekly { days, from, to } => {
                let now = second_of(at.time());
                let today = days[place(at.weekday())];
                if from < to {
                    return today && *from <= now && now < *to;
                }
                let yesterday = days[(place(at.weekday()) + 6) % 7];
                (today && *from <= now) || (yesterday && now < *to)
            }
        }
    }
}

fn place(day: Weekday) -> usize {
    DAYS.iter().position(|(_, d)| *d == day).unwrap_or(0)
}

fn second_of(time: Time) -> i32 {
    i32::from(time.hour()) * 3_600 + i32::from(time.minute()) * 60 + i32::from(time.second())
}

/// `HH:MM` as a second of the day; 24:00 is the day's end.
fn second(text: &str) -> anyhow::Result<i32> {
    let text = text.trim();
    if text == "24:00" {
        return Ok(DAY_S);
    }
    ensure!(text.len() == 5, "a time is HH:MM");
    Ok(second_of(Time::strptime("%H:%M", text)?))
}

fn days(text: &str) -> anyhow::Result<[bool; 7]> {
    let day = |name: &str| {
        DAYS.iter()
            .position(|(n, _)| *n == name)
            .context("a day is mon to sun, or daily")
    };
    let mut days = [false; 7];
    if text == "daily" {
        return Ok([true; 7]);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (mut at, last) = (day(first)?, day(last)?);
    loop {
        days[at] = true;
        if at == last {
            return Ok(days);
        }
        at = (at + 1) % 7;
    }
}

/// `YYYY-MM-DD HH:MM-YYYY-MM-DD HH:MM`.
fn once(text: &str) -> anyhow::Result<Window> {
    let (from, to) = (
        text.get(..16).context("too short")?,
        text.get(17..).context("too short")?,
    );
    ensure!(text.get(16..17) == Some("-"), "no - between the two times");
    let moment = |text: &str| -> anyhow::Result<DateTime> {
        let (day, time) = text.split_once(' ').context("a day and a time")?;
        let date = Date::strptime("%Y-%m-%d", day)?;
        let second = second(time)?;
        if second == DAY_S {
            return Ok(date.tomorrow()?.to_datetime(Time::midnight()));
        }
        Ok(date.to_datetime(Time::strptime("%H:%M", time.trim())?))
    };
    let (from, to) = (moment(from)?, moment(to)?);
    ensure!(from < to, "it ends before it begins");
    Ok(Window::Once { from, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(window: &str, at: &str) -> bool {
        Window::parse(window)
            .unwrap()
            .holds(DateTime::strptime("%Y%m%d%H%M%S", at).unwrap())
    }

    #[test]
    fn windows_by_table() {
        // 2026-11-21 is a Saturday.
        let cases = [
            ("daily 01:00-02:30", "20261121010000", true),
            ("daily 01:00-02:30", "20261121022959", true),
            ("daily 01:00-02:30", "20261121023000", false),
            ("daily 01:00-02:30", "20261121005959", false),
            ("sat 00:00-24:00", "20261121235959", true),
            ("sat 00:00-24:00", "20261122000000", false),
            ("mon-fri 09:00-17:00", "20261121100000", false),
            ("mon-fri 09:00-17:00", "20261123100000", true),
            ("sat-mon 09:00-17:00", "20261123100000", true),
            ("sat 23:30-00:15", "20261121233000", true),
            ("sat 23:30-00:15", "20261122001459", true),
            ("sat 23:30-00:15", "20261121001000", false),
            ("daily 23:00-24:00", "20261121235959", true),
            ("2026-12-31 22:00-2027-01-01 02:00", "20261231220000", true),
            ("2026-12-31 22:00-2027-01-01 02:00", "20270101015959", true),
            ("2026-12-31 22:00-2027-01-01 02:00", "20270101020000", false),
            ("2026-12-31 22:00-2026-12-31 24:00", "20261231235959", true),
        ];
        for (window, at, want) in cases {
            assert_eq!(within(window, at), want, "{window} at {at}");
        }
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in [
            "",
            "daily",
            "01:00-02:00",
            "daily 01:00",
            "daily 1:00-2:00",
            "daily 01:00-25:00",
            "daily 01:00-01:00",
            "daily 24:00-01:00",
            "xxx 01:00-02:00",
            "mon-xxx 01:00-02:00",
            "2026-12-31 22:00-2026-12-31 21:00",
            "2026-02-30 22:00-2026-03-01 21:00",
            "2026-12-31 22:00 2027-01-01 02:00",
        ] {
            assert!(Window::parse(text).is_err(), "{text:?} passed");
        }
    }
}
