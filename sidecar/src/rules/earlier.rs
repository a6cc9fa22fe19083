//! What a window rule sees of the rows before: `earlier.count`, `earlier.sum`,
//! `earlier.distinct`, `earlier.seen(value)`, `earlier.values`.

use super::trace::{self, InputSeen, Read};
use super::types::{Answer, equals, fail, to_dynamic};
use super::windows::MOST_SHOWN;
use crate::change::Value;
use ahash::AHashMap;
use rhai::{Array, Dynamic, Engine};
use rust_decimal::Decimal;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// One earlier row: where it stands, and the value that is kept of it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub position: Arc<str>,
    pub value: Value,
}

/// Totals of one key, kept as rows come and go.
#[derive(Debug, Default)]
pub struct Totals {
    count: usize,
    /// Of the amounts and whole numbers among the values.
    sum: Sum,
    values: AHashMap<Key, usize>,
    newest: VecDeque<Seen>,
}

/// A value as a key; equal amounts are one, however they are written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Nothing,
    Int(i64),
    Dec(Decimal),
    Text(Box<str>),
    Opaque,
}

fn key_of(value: &Value) -> Key {
    match value {
        Value::Null => Key::Nothing,
        Value::Int(number) => Key::Int(*number),
        Value::Dec(amount) => Key::Dec(*amount),
        Value::Text(text) => Key::Text(text.clone()),
        Value::Opaque => Key::Opaque,
    }
}

/// An exact sum. What can't be added makes it unknown while it is there.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    total: Decimal,
    /// Values that are no numbers.
    others: usize,
    /// It was too large once, so it is not known any more.
    lost: bool,
}

impl Sum {
    fn move_by(&mut self, value: &Value, comes: bool) {
        let number = match value {
            Value::Dec(amount) => *amount,
            Value::Int(number) => Decimal::from(*number),
            // NULL adds nothing.
            Value::Null => return,
            Value::Text(_) | Value::Opaque => {
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

    fn told(&self) -> Answer<Decimal> {
        match self {
            Sum {
                others: 0,
                lost: false,
                total,
            } => Ok(*total),
            Sum { lost: true, .. } => fail("the window's sum is too large".to_owned()),
            Sum { .. } => {
                fail("the window keeps something that is no number, so it has no sum".to_owned())
            }
        }
    }
}

impl Totals {
    pub fn add(&mut self, value: &Value, position: &Arc<str>) {
        self.count += 1;
        self.sum.move_by(value, true);
        *self.values.entry(key_of(value)).or_default() += 1;
        self.newest.push_back(Seen {
            position: Arc::clone(position),
            value: value.clone(),
        });
        if self.newest.len() > MOST_SHOWN {
            self.newest.pop_front();
        }
    }

    /// The oldest goes; how many are left. With fewer than are shown, the newest here
    /// would be too many: the window then counts them one by one again.
    pub fn take(&mut self, value: &Value) -> usize {
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
pub enum Earlier {
    Few(Arc<[Seen]>),
    Many(Arc<Mutex<Totals>>),
}

impl Earlier {
    pub fn few(seen: Vec<Seen>) -> Earlier {
        Earlier::Few(seen.into())
    }

    pub fn many(totals: &Arc<Mutex<Totals>>) -> Earlier {
        Earlier::Many(Arc::clone(totals))
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, Earlier::Few(seen) if seen.is_empty())
    }

    /// Their positions, of the newest.
    pub fn inputs(&self) -> Vec<InputSeen> {
        let input = |seen: &Seen| InputSeen {
            position: seen.position.to_string(),
            what: "earlier row".to_owned(),
        };
        match self {
            Earlier::Few(seen) => seen.iter().map(input).collect(),
            Earlier::Many(totals) => locked(totals).newest.iter().map(input).collect(),
        }
    }

    fn count(&mut self) -> i64 {
        let count = match self {
            Earlier::Few(seen) => seen.len(),
            Earlier::Many(totals) => locked(totals).count,
        };
        noted("count", || Some(count.to_string()));
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    fn sum(&mut self) -> Answer<Decimal> {
        let sum = match self {
            Earlier::Few(seen) => {
                let mut sum = Sum::default();
                seen.iter().for_each(|seen| sum.move_by(&seen.value, true));
                sum
            }
            Earlier::Many(totals) => locked(totals).sum,
        };
        let told = sum.told()?;
        noted("sum", || Some(told.to_string()));
        Ok(told)
    }

    fn distinct(&mut self) -> i64 {
        let distinct = match self {
            Earlier::Few(seen) => {
                let new = |at: usize| !seen[..at].iter().any(|s| s.value == seen[at].value);
                (0..seen.len()).filter(|at| new(*at)).count()
            }
            Earlier::Many(totals) => locked(totals).values.len(),
        };
        noted("distinct", || Some(distinct.to_string()));
        i64::try_from(distinct).unwrap_or(i64::MAX)
    }

    fn seen(&mut self, wanted: Dynamic) -> bool {
        let seen = match self {
            Earlier::Few(seen) => seen.iter().any(|s| equals(&s.value, &wanted)),
            Earlier::Many(totals) => {
                wanted_key(&wanted).is_some_and(|key| locked(totals).values.contains_key(&key))
            }
        };
        noted(&format!("seen({wanted})"), || Some(seen.to_string()));
        seen
    }

    /// The newest, oldest first.
    fn values(&mut self) -> Answer<Array> {
        let values = |seen: &Seen| to_dynamic(&seen.value, "keep");
        let shown: Array = match self {
            Earlier::Few(seen) => seen.iter().map(values).collect::<Answer<_>>()?,
            Earlier::Many(totals) => locked(totals)
                .newest
                .iter()
                .map(values)
                .collect::<Answer<_>>()?,
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

fn locked(totals: &Mutex<Totals>) -> std::sync::MutexGuard<'_, Totals> {
    totals.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wanted_key(wanted: &Dynamic) -> Option<Key> {
    if wanted.is_unit() {
        return Some(Key::Nothing);
    }
    if let Ok(number) = wanted.as_int() {
        return Some(Key::Int(number));
    }
    if let Ok(amount) = wanted.as_decimal() {
        return Some(Key::Dec(amount));
    }
    wanted
        .clone()
        .into_string()
        .ok()
        .map(|text| Key::Text(text.into()))
}

fn noted(name: &str, value: impl FnOnce() -> Option<String>) {
    trace::note(|| Read {
        position: String::new(),
        of: "window".to_owned(),
        name: name.to_owned(),
        value: value(),
    });
}

pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Earlier>("Earlier")
        .register_get("count", Earlier::count)
        .register_get("sum", Earlier::sum)
        .register_get("distinct", Earlier::distinct)
        .register_get("values", Earlier::values)
        .register_fn("seen", Earlier::seen);
}
