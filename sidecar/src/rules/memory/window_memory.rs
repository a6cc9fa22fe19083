//! The memory of a window: rows of each key within a span of time, however many.
//!
//! The newest rows of a key are kept one by one, older ones as sums by bucket
//! (`views::window_totals`). What is past goes when its key is asked for, and otherwise as
//! watermarks pass, some shards at a time.

use crate::rules::frozen::sharded_map::{SHARDS, ShardedMap};
use crate::rules::memory::arrival_times::ArrivalTimes;
use crate::rules::memory::key_window::{KeyWindow, WindowTerms};
use crate::rules::memory::keyed_log::UNTIMED_US;
use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::views::row_position::RowPosition;
use crate::rules::views::row_view::RowView;
use crate::rules::views::window_totals::WindowRow;
use crate::rules::views::window_view::WindowView;
use crate::stream::change::{ColumnValue, RowChange};
use std::sync::Arc;

/// Longest span whose older rows go one watermark at a time.
const MAX_EXACT_SPAN_US: i64 = 600_000_000;
/// Buckets of a longer span.
const BUCKETS_PER_SPAN: i64 = 1_000;
/// All shards are walked over once in this part of the span.
const SWEEPS_PER_SPAN: i64 = 4;

/// Rows that one window rule keeps.
#[derive(Debug)]
pub struct WindowMemory {
    pub(super) keys: ShardedMap<KeyWindow>,
    pub(super) times: ArrivalTimes,
    terms: WindowTerms,
    first: bool,
    /// Memory of all keys, about, and the most that it may be, in bytes.
    pub(super) bytes: usize,
    max_bytes: usize,
    /// The next shard to walk over, and shares of one that are due.
    pub(super) next_shard: usize,
    pub(super) due_us: i64,
    /// The window is shorter than declared until then, which was said; `UNTIMED_US` until the
    /// next watermark tells when that is.
    pub(super) short_until_us: Option<i64>,
    /// The window begins in the middle of the stream: said with its first row.
    pub(super) begins_late: bool,
}

/// A row's arrival in a window.
pub struct WindowArrival<'a> {
    pub rule: usize,
    pub key: &'a str,
    pub keep: &'a ColumnValue,
    pub row: &'a Arc<RowChange>,
    pub row_position: RowPosition,
    pub account: &'a str,
}

impl WindowMemory {
    pub fn new(span_ms: u32, first: bool, keeps_values: bool, max_bytes: usize) -> Self {
        let span_us = i64::from(span_ms) * 1_000;
        WindowMemory {
            keys: ShardedMap::default(),
            times: ArrivalTimes::default(),
            terms: WindowTerms {
                span_us,
                width_us: match span_us > MAX_EXACT_SPAN_US {
                    true => span_us / BUCKETS_PER_SPAN,
                    false => 0,
                },
                keeps_values,
            },
            first,
            bytes: 0,
            max_bytes,
            next_shard: 0,
            due_us: 0,
            short_until_us: None,
            begins_late: false,
        }
    }

    /// Shows the rule the rows that the key had before, and keeps this one.
    pub fn arrive(&mut self, run: &mut RuleRun<'_>, new: WindowArrival<'_>) {
        let position = Arc::clone(&new.row_position.position);
        if std::mem::take(&mut self.begins_late) {
            let message = "the window begins here: what came before this row is not counted";
            run.unknown(new.rule, message, &position, "");
        }
        let earlier = self.earlier(new.key);
        if self.first || !earlier.is_empty() {
            let row = RowView {
                change: Arc::clone(new.row),
                row_position: new.row_position,
            };
            run.call(new.rule, "check", (row, earlier), &position, new.account);
        } else {
            drop(earlier);
        }
        self.keep(new.key, new.keep, &position);
        if self.bytes > self.max_bytes {
            self.overflow(run, new.rule, &position);
        }
    }

    /// The rows of the key that are not past.
    fn earlier(&mut self, key: &str) -> WindowView {
        let first = self.times.first();
        let Some(known) = self.keys.get(key) else {
            return WindowView::default();
        };
        if !known.has_past(first) {
            return known.view();
        }
        let Some(known) = self.keys.get_mut(key) else {
            return WindowView::default();
        };
        let before = known.bytes();
        known.expire(first);
        self.bytes = (self.bytes + known.bytes()).saturating_sub(before);
        known.view()
    }

    fn keep(&mut self, key: &str, value: &ColumnValue, position: &Arc<str>) {
        let row = WindowRow {
            beat: self.times.row(),
            position: Arc::clone(position),
            value: value.clone(),
        };
        if let Some(known) = self.keys.get_mut(key) {
            let before = known.bytes();
            known.add(row, &self.terms, &self.times);
            self.bytes = (self.bytes + known.bytes()).saturating_sub(before);
            return;
        }
        let mut new = KeyWindow::default();
        new.add(row, &self.terms, &self.times);
        self.bytes += new.bytes() + key.len();
        self.keys.insert(key.into(), new);
    }

    /// The older half of all rows goes. Once, until the window is whole again, this is said.
    fn overflow(&mut self, run: &mut RuleRun<'_>, rule: usize, position: &Arc<str>) {
        let dropped_us = self.times.drop_half();
        if dropped_us.is_none() {
            // All of it came at one watermark: nothing of it is older than the rest.
            self.keys = ShardedMap::default();
            self.bytes = 0;
        }
        for shard in 0..SHARDS {
            self.sweep(shard);
        }
        let whole_us = dropped_us.map(|at_us| at_us.saturating_add(self.terms.span_us));
        if self.short_until_us.is_none() {
            let message = format!(
                "the window is full at {} bytes: it reaches back less than span_ms until it is whole again; shorten \
                 it, or raise state.memory_mb",
                self.max_bytes
            );
            run.undetermined(rule, &message, position, "");
        }
        self.short_until_us = self.short_until_us.max(whole_us.or(Some(UNTIMED_US)));
    }

    fn sweep(&mut self, shard: usize) {
        let (first, mut freed) = (self.times.first(), 0);
        self.keys.sweep(
            shard,
            |known| known.has_past(first),
            |key, known| {
                let before = known.bytes();
                known.expire(first);
                let keep = !known.is_empty();
                freed += match keep {
                    true => before.saturating_sub(known.bytes()),
                    false => before + key.len(),
                };
                keep
            },
        );
        self.bytes = self.bytes.saturating_sub(freed);
    }

    /// When the oldest row came that is kept; `UNTIMED_US` if none is.
    pub fn oldest_us(&self) -> i64 {
        self.times.oldest_us()
    }

    /// Memory that is kept, about, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes over what the rule's new version may take, and whether its code asks for values.
    pub fn adopt(&mut self, keeps_values: bool, max_bytes: usize) {
        let asks_more = keeps_values && !self.terms.keeps_values;
        self.terms.keeps_values = keeps_values;
        self.max_bytes = max_bytes;
        if asks_more {
            self.begin_anew();
        }
    }

    /// Forgets everything: what comes is said to begin late.
    pub(super) fn begin_anew(&mut self) {
        self.keys = ShardedMap::default();
        self.bytes = 0;
        self.begin_late();
    }

    /// Whether the rule's code asks for values that are kept.
    pub fn keeps_values(&self) -> bool {
        self.terms.keeps_values
    }

    /// Rows from before are missing: this is said with the first one that comes.
    pub fn begin_late(&mut self) {
        self.begins_late = true;
    }

    /// Time has moved on: what is older than the span goes.
    pub fn advance(&mut self, now_us: i64) {
        let passed_us = self.times.time(now_us);
        self.times.expire(self.terms.span_us, now_us);
        if self.short_until_us == Some(UNTIMED_US) {
            self.short_until_us = Some(now_us.saturating_add(self.terms.span_us));
        }
        if self
            .short_until_us
            .is_some_and(|until_us| until_us <= now_us)
        {
            self.short_until_us = None;
        }
        let shard_us = (self.terms.span_us / SWEEPS_PER_SPAN / SHARDS as i64).max(1);
        self.due_us = self
            .due_us
            .saturating_add(passed_us)
            .min(shard_us.saturating_mul(SHARDS as i64));
        while self.due_us >= shard_us {
            self.due_us -= shard_us;
            self.sweep(self.next_shard);
            self.next_shard = (self.next_shard + 1) % SHARDS;
        }
    }
}
