//! Totals of a window's key, kept as rows come and go.

use crate::rules::views::window_sum::WindowSum;
use crate::stream::change::ColumnValue;
use ahash::AHashMap;
use rhai::Dynamic;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::collections::VecDeque;
use std::sync::Arc;

/// Earlier values of one key that a rule is shown, the newest. A key with more has
/// totals of its own, so that a row costs the same whatever came before it.
pub const MAX_ROWS_SHOWN: usize = 64;

/// One earlier row: where it stands, and the value that is kept of it.
#[derive(Debug, Clone)]
pub struct WindowRow {
    pub position: Arc<str>,
    pub value: ColumnValue,
}

/// Totals of one key, kept as rows come and go.
#[derive(Debug, Default)]
pub struct WindowTotals {
    pub count: usize,
    /// Of the amounts and whole numbers among the values.
    pub sum: WindowSum,
    pub values: AHashMap<WindowValueKey, usize>,
    pub newest: VecDeque<WindowRow>,
}

/// A value as a key; equal amounts are one, however they are written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WindowValueKey {
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

    /// Whether the value is among them.
    pub fn has(&self, wanted: &Dynamic) -> bool {
        let keys = wanted_keys(wanted);
        keys.iter()
            .flatten()
            .any(|key| self.values.contains_key(key))
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

/// The keys of a value that a rule asks for: a number may be kept as either kind.
fn wanted_keys(wanted: &Dynamic) -> [Option<WindowValueKey>; 2] {
    if wanted.is_unit() {
        return [Some(WindowValueKey::Nothing), None];
    }
    if let Ok(number) = wanted.as_int() {
        let amount = WindowValueKey::Dec(Decimal::from(number));
        return [Some(WindowValueKey::Int(number)), Some(amount)];
    }
    if let Ok(amount) = wanted.as_decimal() {
        let whole = amount.is_integer().then(|| amount.to_i64()).flatten();
        return [
            Some(WindowValueKey::Dec(amount)),
            whole.map(WindowValueKey::Int),
        ];
    }
    let text = wanted.clone().into_string().ok();
    [text.map(|text| WindowValueKey::Text(text.into())), None]
}
