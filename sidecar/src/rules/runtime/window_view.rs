//! What a window rule sees of the rows before: `earlier.count`, `earlier.sum`,
//! `earlier.distinct`, `earlier.seen(value)`, `earlier.values`.

use crate::rules::runtime::trace::{self, TracedInput, TracedRead};
use crate::rules::runtime::types::{RhaiResult, equals, fail, to_dynamic};

use crate::stream::change::ColumnValue;
use ahash::AHashMap;
use rhai::{Array, Dynamic, Engine};
use rust_decimal::Decimal;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// One earlier row: where it stands, and the value that is kept of it.
#[derive(Debug, Clone)]
pub struct WindowRow {
    pub position: Arc<str>,
    pub value: ColumnValue,
}

/// Totals of one key, kept as rows come and go.
#[derive(Debug, Default)]
pub struct WindowTotals {
    count: usize,
    /// Of the amounts and whole numbers among the values.
    sum: WindowSum,
    values: AHashMap<WindowValueKey, usize>,
    newest: VecDeque<WindowRow>,
}

/// A value as a key; equal amounts are one, however they are written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum WindowValueKey {
    Nothing,
    Int(i64),
    Dec(Decimal),
    Text(Box<str>),
    Opaque,
}

fn key_of(value: &ColumnValue) -> WindowValueKey {
    match value {
        ColumnValue::Null => WindowValueKey::Nothing,
        ColumnValue::Int(number) => WindowValueKey::Int(*number),
        ColumnValue::Dec(amount) => WindowValueKey::Dec(*amount),
        ColumnValue::Text(text) => WindowValueKey::Text(text.clone()),
        ColumnValue::Opaque => WindowValueKey::Opaque,
    }
}

/// An exact sum. What can't be added makes it unknown while it is there.
#[derive(Debug, Clone, Copy, Default)]
struct WindowSum {
    total: Decimal,
    /// Values that are no numbers.
    others: usize,
    /// It was too large once, so it is not known any more.
    lost: bool,
}

impl WindowSum {
    fn move_by(&mut self, value: &ColumnValue, comes: bool) {
        let number = match value {
            ColumnValue::Dec(amount) => *amount,
            ColumnValue::Int(number) => Decimal::from(*number),
            // NULL adds nothing.
            ColumnValue::Null => return,
            ColumnValue::Text(_) | ColumnValue::Opaque => {
                self.others = if comes {
                    self.others + 1
                } else {
                    self.others.saturating_sub(1)
                };
                return;
            }
        };
        let moved = if comes {
            self.total.checked_add(number)
        } else {
            self.total.checked_sub(number)
        };
        match moved {
            Some(total) => self.total = total,
            None => self.lost = true,
        }
    }

    fn checked_sum(&self) -> RhaiResult<Decimal> {
        match self {
            WindowSum {
                others: 0,
                lost: false,
                total,
            } => Ok(*total),
            WindowSum { lost: true, .. } => fail("the window's sum is too large".to_owned()),
            WindowSum { .. } => {
                fail("the window keeps something that is no number, so it has no sum".to_owned())
            }
        }
    }
}

impl WindowTotals {
    pub fn add(&mut self, value: &ColumnValue, position: &Arc<str>) {
        self.count += 1;
        self.sum.move_by(value, true);
        *self.values.entry(key_of(value)).or_default() += 1;
        self.newest.push_back(WindowRow {
            position: Arc::clone(position),
            value: value.clone(),
        });
        if self.newest.len() > MAX_ROWS_SHOWN {
            self.newest.pop_front();
        }
    }

    /// The oldest goes; how many are left. With fewer than are shown, the newest here
    /// would be too many: the window then counts them one by one again.
    pub fn take(&mut self, value: &ColumnValue) -> usize {
        self.count = self.count.saturating_sub(1);
        self.sum.move_by(value, false);
        let key = key_of(value);
        if let Some(times) = self.values.get_mut(&key) {
            *times -= 1;
            if *times == 0 {
                self.values.remove(&key);
            }
        }
        self.count
    }
}

/// The rows before, as a rule sees them.
#[derive(Debug, Clone)]
pub enum WindowView {
    Few(Arc<[WindowRow]>),
    Many(Arc<Mutex<WindowTotals>>),
}

impl WindowView {
    pub fn few(seen: Vec<WindowRow>) -> WindowView {
        WindowView::Few(seen.into())
    }

    pub fn many(totals: &Arc<Mutex<WindowTotals>>) -> WindowView {
        WindowView::Many(Arc::clone(totals))
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, WindowView::Few(seen) if seen.is_empty())
    }

    /// Their positions, of the newest.
    pub fn inputs(&self) -> Vec<TracedInput> {
        let input = |seen: &WindowRow| TracedInput {
            position: seen.position.to_string(),
            what: "earlier row".to_owned(),
        };
        match self {
            WindowView::Few(seen) => seen.iter().map(input).collect(),
            WindowView::Many(totals) => locked(totals).newest.iter().map(input).collect(),
        }
    }

    fn count(&mut self) -> i64 {
        let count = match self {
            WindowView::Few(seen) => seen.len(),
            WindowView::Many(totals) => locked(totals).count,
        };
        noted("count", || Some(count.to_string()));
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    fn sum(&mut self) -> RhaiResult<Decimal> {
        let sum = match self {
            WindowView::Few(seen) => {
                let mut sum = WindowSum::default();
                seen.iter().for_each(|seen| sum.move_by(&seen.value, true));
                sum
            }
            WindowView::Many(totals) => locked(totals).sum,
        };
        let checked_sum = sum.checked_sum()?;
        noted("sum", || Some(checked_sum.to_string()));
        Ok(checked_sum)
    }

    fn distinct(&mut self) -> i64 {
        let distinct = match self {
            WindowView::Few(seen) => {
                let new = |at: usize| !seen[..at].iter().any(|s| s.value == seen[at].value);
                (0..seen.len()).filter(|at| new(*at)).count()
            }
            WindowView::Many(totals) => locked(totals).values.len(),
        };
        noted("distinct", || Some(distinct.to_string()));
        i64::try_from(distinct).unwrap_or(i64::MAX)
    }

    fn seen(&mut self, wanted: Dynamic) -> bool {
        let seen = match self {
            WindowView::Few(seen) => seen.iter().any(|s| equals(&s.value, &wanted)),
            WindowView::Many(totals) => {
                wanted_key(&wanted).is_some_and(|key| locked(totals).values.contains_key(&key))
            }
        };
        noted(&format!("seen({wanted})"), || Some(seen.to_string()));
        seen
    }

    /// The newest, oldest first.
    fn values(&mut self) -> RhaiResult<Array> {
        let values = |seen: &WindowRow| to_dynamic(&seen.value, "keep");
        let shown: Array = match self {
            WindowView::Few(seen) => seen.iter().map(values).collect::<RhaiResult<_>>()?,
            WindowView::Many(totals) => locked(totals)
                .newest
                .iter()
                .map(values)
                .collect::<RhaiResult<_>>()?,
        };
        noted("values", || {
            Some(
                shown
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            )
        });
        Ok(shown)
    }
}

fn locked(totals: &Mutex<WindowTotals>) -> std::sync::MutexGuard<'_, WindowTotals> {
    totals.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wanted_key(wanted: &Dynamic) -> Option<WindowValueKey> {
    if wanted.is_unit() {
        return Some(WindowValueKey::Nothing);
    }
    if let Ok(number) = wanted.as_int() {
        return Some(WindowValueKey::Int(number));
    }
    if let Ok(amount) = wanted.as_decimal() {
        return Some(WindowValueKey::Dec(amount));
    }
    wanted
        .clone()
        .into_string()
        .ok()
        .map(|text| WindowValueKey::Text(text.into()))
}

fn noted(name: &str, value: impl FnOnce() -> Option<String>) {
    trace::note(|| TracedRead {
        position: String::new(),
        of: "window".to_owned(),
        name: name.to_owned(),
        value: value(),
    });
}

pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<WindowView>("Earlier")
        .register_get("count", WindowView::count)
        .register_get("sum", WindowView::sum)
        .register_get("distinct", WindowView::distinct)
        .register_get("values", WindowView::values)
        .register_fn("seen", WindowView::seen);
}

/// Earlier values of one key that a rule is shown, the newest. A key with more has
/// totals of its own, so that a row costs the same whatever came before it.
pub const MAX_ROWS_SHOWN: usize = 64;
