//! Windows: what the same key had within a span of time.

use super::log::Log;
use super::run::Run;
use super::types::{Row, to_dynamic};
use crate::change::{Change, Value};
use rhai::{Array, Dynamic};
use std::sync::Arc;

/// Values that one rule's window holds at most (about 250 bytes each). Past it
/// the oldest go, and the rule says that its window is shorter than declared.
const MOST_KEPT: usize = 2_000_000;
/// Earlier values of one key that a rule is shown, the newest.
const MOST_SHOWN: usize = 64;

#[derive(Debug)]
pub struct Window {
    pub log: Log<Value>,
    span_us: i64,
}

/// A row's arrival in a window.
pub struct Arrival<'a> {
    pub rule: usize,
    pub key: &'a str,
    pub keep: &'a Value,
    pub row: &'a Arc<Change>,
    pub account: &'a str,
    pub position: &'a Arc<str>,
}

impl Window {
    pub fn new(span_ms: u32) -> Self {
        Window { log: Log::default(), span_us: i64::from(span_ms) * 1_000 }
    }

    /// Shows the rule what the key had before, if anything, and keeps this one.
    pub fn arrive(&mut self, run: &mut Run<'_>, new: &Arrival<'_>, now_us: Option<i64>) {
        let earlier = self.earlier(new.key, now_us);
        if !earlier.is_empty() {
            run.call(new.rule, "check", (Row(Arc::clone(new.row)), earlier), new.position, new.account);
        }
        self.log.push(new.key.into(), Arc::clone(new.position), new.keep.clone());
        if self.log.len() > MOST_KEPT {
            self.log.pop();
            let message =
                format!("the window is full at {MOST_KEPT} rows: it reaches back less than span_ms; shorten it");
            run.undetermined(new.rule, &message, new.position, "");
        }
    }

    /// Oldest first.
    fn earlier(&self, key: &str, now_us: Option<i64>) -> Array {
        let mut values: Array = Vec::new();
        for id in self.log.chain(key, MOST_SHOWN) {
            if let Some(item) = self.log.get(id)
                && !now_us.is_some_and(|now| item.is_past(self.span_us, now))
            {
                values.push(to_dynamic(&item.value, "keep").unwrap_or(Dynamic::UNIT));
            }
        }
        values.reverse();
        values
    }

    /// Time has moved on: what is older than the span goes.
    pub fn advance(&mut self, now_us: i64) {
        self.log.time(now_us);
        while self.log.front().is_some_and(|(_, item)| item.is_past(self.span_us, now_us)) {
            self.log.pop();
        }
    }
}
