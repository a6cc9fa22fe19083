//! Times of arrival by number: a row keeps the number of the watermark that it came before,
//! and the time of that watermark is known once it has come.

use crate::rules::memory::keyed_log::UNTIMED_US;
use crate::stream::wire::{ByteReader, put_number, put_signed};
use std::collections::VecDeque;

/// Rows that came before one watermark.
#[derive(Debug, Clone, Copy)]
struct ArrivalBeat {
    /// Time of the watermark.
    at_us: i64,
    /// Time of the watermark before it: no row came earlier.
    before_us: i64,
    rows: u64,
}

/// Times of all rows that a window keeps, oldest first.
#[derive(Debug, Clone)]
pub struct ArrivalTimes {
    /// Number of the first one that is kept.
    first: u64,
    beats: VecDeque<ArrivalBeat>,
    /// Rows since the newest watermark.
    untimed: u64,
    newest_us: i64,
}

impl Default for ArrivalTimes {
    fn default() -> Self {
        ArrivalTimes {
            first: 0,
            beats: VecDeque::new(),
            untimed: 0,
            newest_us: i64::MIN,
        }
    }
}

impl ArrivalTimes {
    /// A row came; returns its number.
    pub fn row(&mut self) -> u64 {
        self.untimed += 1;
        self.current()
    }

    fn current(&self) -> u64 {
        self.first + self.beats.len() as u64
    }

    /// Number of the first that is kept: rows with lower ones are past.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Earliest time at which rows of that number may have come.
    pub fn earliest_us(&self, beat: u64) -> i64 {
        let at = beat.checked_sub(self.first);
        at.and_then(|at| self.beats.get(usize::try_from(at).ok()?))
            .map_or(self.newest_us, |beat| beat.before_us)
    }

    /// Everything since the last watermark came at this one. Returns how long after the last.
    pub fn time(&mut self, now_us: i64) -> i64 {
        if self.untimed > 0 {
            self.beats.push_back(ArrivalBeat {
                at_us: now_us,
                before_us: self.newest_us,
                rows: std::mem::take(&mut self.untimed),
            });
        }
        let passed_us = now_us.saturating_sub(self.newest_us);
        self.newest_us = self.newest_us.max(now_us);
        passed_us
    }

    /// Beats of `span_us` ago or earlier go.
    pub fn expire(&mut self, span_us: i64, now_us: i64) {
        let is_past = |beat: &ArrivalBeat| beat.at_us.saturating_add(span_us) <= now_us;
        while self.beats.front().is_some_and(is_past) {
            self.beats.pop_front();
            self.first += 1;
        }
    }

    /// The older half of all rows goes. Returns the time of the newest that went; None if
    /// nothing has a time yet.
    pub fn drop_half(&mut self) -> Option<i64> {
        let rows: u64 = self.beats.iter().map(|beat| beat.rows).sum();
        let (mut dropped, mut last_us) = (0, None);
        while let Some(beat) = self.beats.front()
            && (last_us.is_none() || dropped + beat.rows <= rows.div_ceil(2))
        {
            dropped += beat.rows;
            last_us = Some(beat.at_us);
            self.beats.pop_front();
            self.first += 1;
        }
        last_us
    }

    /// When the oldest row came that is kept; [`UNTIMED_US`] if none is, or no time is known.
    pub fn oldest_us(&self) -> i64 {
        self.beats.front().map_or(UNTIMED_US, |beat| beat.at_us)
    }

    pub fn put(&self, out: &mut Vec<u8>) {
        put_number(out, self.first);
        put_number(out, self.untimed);
        put_signed(out, self.newest_us);
        put_number(out, self.beats.len() as u64);
        for beat in &self.beats {
            put_signed(out, beat.at_us);
            put_signed(out, beat.before_us);
            put_number(out, beat.rows);
        }
    }

    pub fn read(bytes: &mut ByteReader<'_>) -> Option<ArrivalTimes> {
        let mut times = ArrivalTimes {
            first: bytes.number()?,
            untimed: bytes.number()?,
            newest_us: bytes.signed()?,
            beats: VecDeque::new(),
        };
        for _ in 0..bytes.size()? {
            times.beats.push_back(ArrivalBeat {
                at_us: bytes.signed()?,
                before_us: bytes.signed()?,
                rows: bytes.number()?,
            });
        }
        Some(times)
    }
}
