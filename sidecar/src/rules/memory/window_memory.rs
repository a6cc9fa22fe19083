//! The memory of a window: rows of each key within a span of time, exact however many.

use crate::rules::memory::keyed_log::KeyedLog;
use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::views::row_position::RowPosition;
use crate::rules::views::row_view::RowView;
use crate::rules::views::window_totals::{MAX_ROWS_SHOWN, WindowRow, WindowTotals};
use crate::rules::views::window_view::WindowView;
use crate::stream::change::{ColumnValue, RowChange};
use ahash::AHashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Values that one rule's window holds at most (about 250 bytes each). Past it
/// the oldest go, and the rule says that its window is shorter than declared.
const MAX_KEPT_VALUES: usize = 2_000_000;

/// Rows that one window rule keeps.
#[derive(Debug)]
pub struct WindowMemory {
    log: KeyedLog<ColumnValue>,
    span_us: i64,
    first: bool,
    /// Totals of the keys with more rows than are shown.
    busy: AHashMap<Arc<str>, Arc<Mutex<WindowTotals>>>,
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
    pub fn new(span_ms: u32, first: bool) -> Self {
        WindowMemory {
            log: KeyedLog::default(),
            span_us: i64::from(span_ms) * 1_000,
            first,
            busy: AHashMap::new(),
        }
    }

    /// Shows the rule the rows that the key had before, and keeps this one.
    pub fn arrive(&mut self, run: &mut RuleRun<'_>, new: WindowArrival<'_>) {
        let earlier = self.earlier(new.key);
        let position = Arc::clone(&new.row_position.position);
        if self.first || !earlier.is_empty() {
            let row = RowView {
                change: Arc::clone(new.row),
                row_position: new.row_position,
            };
            run.call(new.rule, "check", (row, earlier), &position, new.account);
        }
        if let Some(totals) = self.busy.get(new.key) {
            totals
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .add(new.keep, &position);
        }
        self.log
            .push(new.key.into(), Arc::clone(&position), new.keep.clone());
        if self.log.len() > MAX_KEPT_VALUES {
            self.pop();
            let message = format!(
                "the window is full at {MAX_KEPT_VALUES} rows: it reaches back less than span_ms; shorten it"
            );
            run.undetermined(new.rule, &message, &position, "");
        }
    }

    /// The rows of the key, counted one by one while they are few.
    fn earlier(&mut self, key: &str) -> WindowView {
        if let Some(totals) = self.busy.get(key) {
            return WindowView::many(totals);
        }
        let mut seen: Vec<WindowRow> = Vec::new();
        for id in self.log.chain(key, MAX_ROWS_SHOWN) {
            let Some(item) = self.log.get(id) else {
                continue;
            };
            seen.push(WindowRow {
                position: Arc::clone(&item.position),
                value: item.value.clone(),
            });
        }
        seen.reverse();
        if seen.len() < MAX_ROWS_SHOWN {
            return WindowView::few(seen);
        }
        let mut totals = WindowTotals::default();
        seen.iter()
            .for_each(|seen| totals.add(&seen.value, &seen.position));
        let totals = Arc::new(Mutex::new(totals));
        let earlier = WindowView::many(&totals);
        self.busy.insert(key.into(), totals);
        earlier
    }

    fn pop(&mut self) {
        let Some(item) = self.log.pop() else { return };
        let Some(totals) = self.busy.get(&item.key) else {
            return;
        };
        let left = totals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(&item.value);
        if left < MAX_ROWS_SHOWN {
            self.busy.remove(&item.key);
        }
    }

    /// When the oldest row came that is kept; `UNTIMED_US` if none is.
    pub fn oldest_us(&self) -> i64 {
        self.log.oldest_us()
    }

    /// Time has moved on: what is older than the span goes.
    pub fn advance(&mut self, now_us: i64) {
        self.log.time(now_us);
        while self
            .log
            .front()
            .is_some_and(|(_, item)| item.is_past(self.span_us, now_us))
        {
            self.pop();
        }
    }
}
