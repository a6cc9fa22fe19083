//! Windows: what the same key had within a span of time, exact however much it was.

use super::earlier::{Earlier, Seen, Totals};
use super::log::Log;
use super::run::Run;
use super::types::{Row, Seat};
use crate::change::{Change, Value};
use ahash::AHashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Values that one rule's window holds at most (about 250 bytes each). Past it
/// the oldest go, and the rule says that its window is shorter than declared.
const MOST_KEPT: usize = 2_000_000;
/// Earlier values of one key that a rule is shown, the newest. A key with more has
/// totals of its own, so that a row costs the same whatever came before it.
pub const MOST_SHOWN: usize = 64;

#[derive(Debug)]
pub struct Window {
    pub log: Log<Value>,
    span_us: i64,
    first: bool,
    /// Totals of the keys with more rows than are shown.
    busy: AHashMap<Arc<str>, Arc<Mutex<Totals>>>,
}

/// A row's arrival in a window.
pub struct Arrival<'a> {
    pub rule: usize,
    pub key: &'a str,
    pub keep: &'a Value,
    pub row: &'a Arc<Change>,
    pub seat: Seat,
    pub account: &'a str,
}

impl Window {
    pub fn new(span_ms: u32, first: bool) -> Self {
        Window {
            log: Log::default(),
            span_us: i64::from(span_ms) * 1_000,
            first,
            busy: AHashMap::new(),
        }
    }

    /// Shows the rule what the key had before, and keeps this one.
    pub fn arrive(&mut self, run: &mut Run<'_>, new: Arrival<'_>) {
        let earlier = self.earlier(new.key);
        let position = Arc::clone(&new.seat.position);
        if self.first || !earlier.is_empty() {
            let row = Row {
                change: Arc::clone(new.row),
                seat: new.seat,
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
        if self.log.len() > MOST_KEPT {
            self.pop();
            let message = format!(
                "the window is full at {MOST_KEPT} rows: it reaches back less than span_ms; shorten it"
            );
            run.undetermined(new.rule, &message, &position, "");
        }
    }

    fn earlier(&mut self, key: &str) -> Earlier {
        if let Some(totals) = self.busy.get(key) {
            return Earlier::many(totals);
        }
        let mut seen: Vec<Seen> = Vec::new();
        for id in self.log.chain(key, MOST_SHOWN) {
            let Some(item) = self.log.get(id) else {
                continue;
            };
            seen.push(Seen {
                position: Arc::clone(&item.position),
                value: item.value.clone(),
            });
        }
        seen.reverse();
        if seen.len() < MOST_SHOWN {
            return Earlier::few(seen);
        }
        let mut totals = Totals::default();
        seen.iter()
            .for_each(|seen| totals.add(&seen.value, &seen.position));
        let totals = Arc::new(Mutex::new(totals));
        let earlier = Earlier::many(&totals);
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
        if left < MOST_SHOWN {
            self.busy.remove(&item.key);
        }
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
