//! Windows of time such as a bank's maintenance, in a channel's own zone:
//! `daily 01:00-02:30`, `sat 00:00-24:00`, `mon-fri 23:30-00:15` (begins on those
//! days, ends on the next), `2026-12-31 22:00-2027-01-01 02:00`. The end is outside.

use anyhow::{Context, ensure};
use jiff::civil::{Date, DateTime, Time, Weekday};

const SECONDS_PER_DAY: i32 = 86_400;
const WEEKDAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// A span of time, once or every week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeWindow {
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

impl TimeWindow {
    /// Reads a window.
    ///
    /// # Errors
    /// The text, and how a window is written.
    pub fn parse(text: &str) -> anyhow::Result<TimeWindow> {
        let hint = || {
            format!(
                "window {text:?}: write it as \"daily 01:00-02:30\", \"sat 00:00-24:00\" or \"2026-12-31 22:00-2027-01-01 02:00\""
            )
        };
        let (day, times) = text.trim().split_once(' ').with_context(hint)?;
        if day.len() == 10 {
            return once(text.trim()).with_context(hint);
        }
        let (from, to) = times.trim().split_once('-').with_context(hint)?;
        let (from, to) = (
            second(from).with_context(hint)?,
            second(to).with_context(hint)?,
        );
        ensure!(
            from != to && from < SECONDS_PER_DAY,
            "window {text:?} has no length: 00:00-24:00 is a whole day"
        );
        Ok(TimeWindow::Weekly {
            days: days(day).with_context(hint)?,
            from,
            to,
        })
    }

    /// Tells whether the time is within.
    pub fn holds(&self, at: DateTime) -> bool {
        match self {
            TimeWindow::Once { from, to } => *from <= at && at < *to,
            TimeWindow::Weekly { days, from, to } => {
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
    WEEKDAYS.iter().position(|(_, d)| *d == day).unwrap_or(0)
}

fn second_of(time: Time) -> i32 {
    i32::from(time.hour()) * 3_600 + i32::from(time.minute()) * 60 + i32::from(time.second())
}

/// `HH:MM` as a second of the day; 24:00 is the day's end.
fn second(text: &str) -> anyhow::Result<i32> {
    let text = text.trim();
    if text == "24:00" {
        return Ok(SECONDS_PER_DAY);
    }
    ensure!(text.len() == 5, "a time is HH:MM");
    Ok(second_of(Time::strptime("%H:%M", text)?))
}

fn days(text: &str) -> anyhow::Result<[bool; 7]> {
    let day = |name: &str| {
        WEEKDAYS
            .iter()
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
fn once(text: &str) -> anyhow::Result<TimeWindow> {
    let (from, to) = (
        text.get(..16).context("too short")?,
        text.get(17..).context("too short")?,
    );
    ensure!(text.get(16..17) == Some("-"), "no - between the two times");
    let moment = |text: &str| -> anyhow::Result<DateTime> {
        let (day, time) = text.split_once(' ').context("a day and a time")?;
        let date = Date::strptime("%Y-%m-%d", day)?;
        let second = second(time)?;
        if second == SECONDS_PER_DAY {
            return Ok(date.tomorrow()?.to_datetime(Time::midnight()));
        }
        Ok(date.to_datetime(Time::strptime("%H:%M", time.trim())?))
    };
    let (from, to) = (moment(from)?, moment(to)?);
    ensure!(from < to, "it ends before it begins");
    Ok(TimeWindow::Once { from, to })
}

#[cfg(test)]
#[path = "windows_tests.rs"]
mod tests;
