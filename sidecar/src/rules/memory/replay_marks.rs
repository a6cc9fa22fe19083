//! From where a restart must read again, and what may be judged after it.
//!
//! Sides of pairs that met long ago are forgotten. Reading again meets them again,
//! and near the place where reading begins a partner may lie before it: that must
//! not become "missing". Let D be the margin: longer than any pair takes to meet.
//! The binlog is read from a time B, at least 2·D before anything that is still
//! open, and Kafka from B + D. So a row finds its event unless it came before
//! B + 2·D, where nothing is open any more and nothing is said.
//!
//! An event finds its row only if it was read soon after that came; after Kafka
//! was away, or was read again itself, it was not. So each place of Kafka remembers
//! when the oldest row came that its events met, and B goes back to that for every
//! place that is read again: no more than `MAX_LOOK_BACK_US`, so that one restart after
//! the other does not make the next one ever longer.

use crate::rules::memory::keyed_log::UNTIMED_US;
use std::collections::VecDeque;
use std::sync::Arc;

/// Time that is added to the longest patience of a pair: clocks and the distance
/// between two positions from which a source can resume.
pub const MARGIN_SLACK_US: i64 = 5_000_000;
/// Longest that Kafka is read back without a checkpoint (`look_back`), and that the
/// binlog is for the sake of events that were read late.
pub const MAX_LOOK_BACK_US: i64 = 3_600_000_000;
/// Marks of one source at most; past it the oldest go, and a restart after a long
/// lag of the other source reads back less.
const MAX_MARKS: usize = 1 << 17;

/// One place per watermark to which reading can go back.
#[derive(Debug)]
struct ReplayMark {
    at_us: i64,
    position: Arc<str>,
    /// When the oldest row came that inputs from here to the next mark met.
    rows_from_us: i64,
}

/// The marks of one source.
#[derive(Debug, Default)]
pub struct ReplayMarks(VecDeque<ReplayMark>);

impl ReplayMarks {
    /// An input came.
    pub fn input(&mut self, position: &Arc<str>) {
        if self.0.back().is_none_or(|mark| mark.at_us != UNTIMED_US) {
            self.0.push_back(ReplayMark {
                at_us: UNTIMED_US,
                position: Arc::clone(position),
                rows_from_us: UNTIMED_US,
            });
            if self.0.len() > MAX_MARKS {
                self.0.pop_front();
            }
        }
    }

    /// The source's watermark came; marks before `needed_us` go.
    pub fn advance(&mut self, now_us: i64, needed_us: i64) {
        if let Some(mark) = self.0.back_mut().filter(|mark| mark.at_us == UNTIMED_US) {
            mark.at_us = now_us;
        }
        while self.0.front().is_some_and(|mark| mark.at_us < needed_us) {
            self.0.pop_front();
        }
    }

    /// An event that came at `at_us` met a row that came at `row_us`.
    pub fn met(&mut self, at_us: i64, row_us: i64) {
        let at = self.0.partition_point(|mark| mark.at_us < at_us);
        if let Some(mark) = self.0.get_mut(at).filter(|mark| mark.at_us == at_us) {
            mark.rows_from_us = mark.rows_from_us.min(row_us);
        }
    }

    /// From where rows must be read so that every event that is read with them finds
    /// its own: at the latest from `from_us`. Each step back may add events, so it goes
    /// from the newest mark to the first one that is not read again, nor close to one.
    pub fn rows_from(&self, from_us: i64, margin_us: i64) -> i64 {
        let mut from_us = from_us;
        for mark in self.0.iter().rev() {
            if mark.at_us < from_us.saturating_add(margin_us - MARGIN_SLACK_US) {
                break;
            }
            from_us = from_us.min(mark.rows_from_us);
        }
        from_us
    }

    /// The first input that came at `from_us` or later.
    pub fn since(&self, from_us: i64) -> Option<Arc<str>> {
        let at = self.0.partition_point(|mark| mark.at_us < from_us);
        self.0.get(at).map(|mark| Arc::clone(&mark.position))
    }
}
