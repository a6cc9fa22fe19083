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

use crate::rules::frozen::state_frames::FrameSink;
use crate::rules::memory::keyed_log::UNTIMED_US;
use crate::stream::wire::{ByteReader, put_signed, put_text};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// Time that is added to the longest patience of a pair: clocks and the distance
/// between two positions from which a source can resume.
pub const MARGIN_SLACK_US: i64 = 5_000_000;
/// Longest that Kafka is read back without a checkpoint (`look_back`), and that the
/// binlog is for the sake of events that were read late.
pub const MAX_LOOK_BACK_US: i64 = 3_600_000_000;
/// Marks of one source at most; past it every other one goes, which only means that a
/// restart reads a little more.
const MAX_MARKS: usize = 1 << 17;

/// One place per watermark to which reading can go back.
#[derive(Debug, Clone)]
struct ReplayMark {
    at_us: i64,
    position: Arc<str>,
    /// When the oldest row came that inputs from here to the next mark met.
    rows_from_us: i64,
}

/// The marks of one source.
#[derive(Debug, Clone, Default)]
pub struct ReplayMarks {
    marks: VecDeque<ReplayMark>,
    /// Marks are missing between others.
    thinned: bool,
}

impl ReplayMarks {
    /// An input came.
    pub fn input(&mut self, position: &Arc<str>) {
        if self
            .marks
            .back()
            .is_none_or(|mark| mark.at_us != UNTIMED_US)
        {
            self.marks.push_back(ReplayMark {
                at_us: UNTIMED_US,
                position: Arc::clone(position),
                rows_from_us: UNTIMED_US,
            });
            if self.marks.len() > MAX_MARKS {
                self.thin();
            }
        }
    }

    /// Every other mark goes; the one before takes over its rows.
    fn thin(&mut self) {
        let all = std::mem::take(&mut self.marks);
        for (at, mark) in all.into_iter().enumerate() {
            match self.marks.back_mut().filter(|_| at % 2 == 1) {
                Some(before) => before.rows_from_us = before.rows_from_us.min(mark.rows_from_us),
                None => self.marks.push_back(mark),
            }
        }
        self.thinned = true;
    }

    /// The source's watermark came; marks before `needed_us` go.
    pub fn advance(&mut self, now_us: i64, needed_us: i64) {
        if let Some(mark) = self
            .marks
            .back_mut()
            .filter(|mark| mark.at_us == UNTIMED_US)
        {
            mark.at_us = now_us;
        }
        while self
            .marks
            .front()
            .is_some_and(|mark| mark.at_us < needed_us)
        {
            self.marks.pop_front();
        }
    }

    /// An event that came at `at_us` met a row that came at `row_us`.
    pub fn met(&mut self, at_us: i64, row_us: i64) {
        let at = self.marks.partition_point(|mark| mark.at_us < at_us);
        if let Some(mark) = self.marks.get_mut(at).filter(|mark| mark.at_us == at_us) {
            mark.rows_from_us = mark.rows_from_us.min(row_us);
        }
    }

    /// From where rows must be read so that every event that is read with them finds
    /// its own: at the latest from `from_us`. Each step back may add events, so it goes
    /// from the newest mark to the first one that is not read again, nor close to one.
    pub fn rows_from(&self, from_us: i64, margin_us: i64) -> i64 {
        let mut from_us = from_us;
        for mark in self.marks.iter().rev() {
            if mark.at_us < from_us.saturating_add(margin_us - MARGIN_SLACK_US) {
                break;
            }
            from_us = from_us.min(mark.rows_from_us);
        }
        from_us
    }

    /// The first input that came at `from_us` or later.
    pub fn since(&self, from_us: i64) -> Option<Arc<str>> {
        let mut at = self.marks.partition_point(|mark| mark.at_us < from_us);
        if self.thinned {
            // It may have gone: the one before came earlier.
            at = at.saturating_sub(1);
        }
        self.marks.get(at).map(|mark| Arc::clone(&mark.position))
    }

    /// Adds the marks of another worker over the same inputs, which may keep others.
    pub fn join(&mut self, other: ReplayMarks) {
        self.thinned |= other.thinned;
        let ours = std::mem::take(&mut self.marks);
        let (mut ours, mut theirs) = (
            ours.into_iter().peekable(),
            other.marks.into_iter().peekable(),
        );
        loop {
            let mark = match (ours.peek(), theirs.peek()) {
                (Some(a), Some(b)) if a.at_us == b.at_us && a.position == b.position => {
                    let rows_from_us = a.rows_from_us.min(b.rows_from_us);
                    theirs.next();
                    ours.next().map(|mark| ReplayMark {
                        rows_from_us,
                        ..mark
                    })
                }
                (Some(a), Some(b)) if b.at_us < a.at_us => theirs.next(),
                (Some(_), _) => ours.next(),
                (None, _) => theirs.next(),
            };
            let Some(mark) = mark else { return };
            self.marks.push_back(mark);
        }
    }

    pub fn write(&self, out: &mut dyn FrameSink) -> io::Result<()> {
        let mut frame = vec![u8::from(self.thinned)];
        for mark in &self.marks {
            put_signed(&mut frame, mark.at_us);
            put_text(&mut frame, &mark.position);
            put_signed(&mut frame, mark.rows_from_us);
        }
        out.frame(&frame)?;
        out.frame(&[])
    }

    /// Reads what [`ReplayMarks::write`] wrote; None if it is not that.
    pub fn read<'a>(mut frames: impl Iterator<Item = &'a [u8]>) -> Option<ReplayMarks> {
        let mut bytes = ByteReader(frames.next()?);
        let mut read = ReplayMarks {
            thinned: bytes.flag()?,
            marks: VecDeque::new(),
        };
        while !bytes.is_empty() {
            read.marks.push_back(ReplayMark {
                at_us: bytes.signed()?,
                position: bytes.text()?.into(),
                rows_from_us: bytes.signed()?,
            });
        }
        Some(read)
    }
}
