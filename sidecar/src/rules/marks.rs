//! From where a restart must read again, and what may be judged after it.
//!
//! Sides of pairs that met long ago are forgotten. Reading again meets them again,
//! and near the place where reading begins a partner may lie before it: that must
//! not become "missing". Let D be the margin: longer than any pair takes to meet.
//! The binlog is read from a time B, at least 2·D before anything that is still
//! open, and Kafka from B + D. So every event that is read again finds its row;
//! and a row finds its event unless it came before B + 2·D, where nothing is open
//! any more and nothing is said.

use super::header::{Require, Trigger};
use super::load::Rule;
use super::log::NOT_YET;
use super::pairs::Watermarks;
use std::collections::VecDeque;
use std::sync::Arc;

/// What is added to the longest patience of a pair: clocks and the distance
/// between two positions from which a source can resume.
const SLACK_US: i64 = 5_000_000;
/// Marks of one source at most; past it the oldest go, and a restart after a long
/// lag of the other source reads back less.
const MOST: usize = 1 << 17;

/// One place per watermark to which reading can go back.
#[derive(Debug)]
struct Mark {
    at_us: i64,
    position: Arc<str>,
}

/// The marks of one source.
#[derive(Debug, Default)]
pub struct Marks(VecDeque<Mark>);

impl Marks {
    /// An input came.
    pub fn input(&mut self, position: &Arc<str>) {
        if self.0.back().is_none_or(|mark| mark.at_us != NOT_YET) {
            self.0.push_back(Mark { at_us: NOT_YET, position: Arc::clone(position) });
            if self.0.len() > MOST {
                self.0.pop_front();
            }
        }
    }

    /// The source's watermark came; marks before `needed_us` go.
    pub fn advance(&mut self, now_us: i64, needed_us: i64) {
        if let Some(mark) = self.0.back_mut().filter(|mark| mark.at_us == NOT_YET) {
            mark.at_us = now_us;
        }
        while self.0.front().is_some_and(|mark| mark.at_us < needed_us) {
            self.0.pop_front();
        }
    }

    /// The first input that came at `from_us` or later.
    pub fn since(&self, from_us: i64) -> Option<Arc<str>> {
        let at = self.0.partition_point(|mark| mark.at_us < from_us);
        self.0.get(at).map(|mark| Arc::clone(&mark.position))
    }
}

/// D for a rule set: 0 if no rule can say that something is missing.
pub fn margin(rules: &[Rule]) -> i64 {
    let patience = rules.iter().filter_map(|rule| match &rule.header.trigger {
        Trigger::Pair { within_ms, require, .. } if *require != Require::None => Some(i64::from(*within_ms) * 1_000),
        _ => None,
    });
    patience.max().map_or(0, |patience| patience + SLACK_US)
}

/// Rows that came before this are not said to miss their partner. Kafka's first
/// watermark is of today; if the binlog's is much older, the binlog is being read
/// again. `first` are the first watermarks of both.
pub fn judged_from(first: &Watermarks, margin_us: i64) -> i64 {
    match first {
        [Some(binlog), Some(kafka)] if kafka.saturating_sub(*binlog) > margin_us => {
            binlog.saturating_add(2 * margin_us)
        }
        _ => i64::MIN,
    }
}

/// After a gap of the binlog: events that came before this may have their rows in the
/// gap, and nothing is said of them; the gap's own verdict says so. Those are what was
/// read again of Kafka, up to its first watermark, and what comes a little later.
pub fn events_judged_from(first: &Watermarks) -> i64 {
    first[1].map_or(i64::MAX, |kafka| kafka.saturating_add(SLACK_US))
}
