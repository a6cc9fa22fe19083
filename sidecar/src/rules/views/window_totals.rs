//! Rows of a window's key: the newest one by one, the older ones as sums by bucket.

use crate::rules::views::window_sum::WindowSum;
use crate::stream::change::ColumnValue;
use crate::stream::wire::{ByteReader, put_decimal, put_number, put_signed, put_text};
use ahash::AHashMap;
use rhai::Dynamic;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::collections::VecDeque;
use std::sync::Arc;

/// Earlier values of one key that a rule is shown, the newest. Of what is older only sums
/// are kept, so that a row costs the same whatever came before it.
pub const MAX_ROWS_SHOWN: usize = 64;

/// One earlier row: where it stands, and the value that is kept of it.
#[derive(Debug, Clone)]
pub struct WindowRow {
    /// Number of its time of arrival (`memory::arrival_times`).
    pub beat: u64,
    pub position: Arc<str>,
    pub value: ColumnValue,
}

/// Rows older than those shown, in buckets that go as a whole.
#[derive(Debug, Clone, Default)]
pub struct OlderRows {
    pub count: usize,
    /// Of the amounts and whole numbers among the values.
    pub sum: WindowSum,
    /// The newest bucket of each value; empty if no rule asks for values.
    values: AHashMap<WindowValueKey, u64>,
    /// Length of all texts among values, in bytes.
    text_bytes: usize,
    buckets: VecDeque<WindowBucket>,
}

/// Rows that go together.
#[derive(Debug, Clone, Default)]
struct WindowBucket {
    /// Span of time that the rows came in; each bucket has another one.
    slot: i64,
    id: u64,
    /// Number of the newest one's time of arrival.
    until: u64,
    count: usize,
    sum: WindowSum,
    /// Values of which this was the newest bucket once.
    values: Vec<WindowValueKey>,
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

impl WindowValueKey {
    fn text_bytes(&self) -> usize {
        match self {
            WindowValueKey::Text(text) => text.len(),
            WindowValueKey::Nothing
            | WindowValueKey::Int(_)
            | WindowValueKey::Dec(_)
            | WindowValueKey::Opaque => 0,
        }
    }
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

impl OlderRows {
    /// Takes a row that is shown no longer into the bucket of its slot; with its value if
    /// `keeps_values`.
    pub fn add(&mut self, row: &WindowRow, slot: i64, keeps_values: bool) {
        self.count += 1;
        self.sum.move_by(&row.value, true);
        let id = match self.buckets.back() {
            Some(last) if last.slot == slot => last.id,
            last => {
                let id = last.map_or(0, |last| last.id + 1);
                self.buckets.push_back(WindowBucket {
                    slot,
                    id,
                    ..WindowBucket::default()
                });
                id
            }
        };
        let Some(bucket) = self.buckets.back_mut() else {
            return;
        };
        bucket.until = bucket.until.max(row.beat);
        bucket.count += 1;
        bucket.sum.move_by(&row.value, true);
        if keeps_values {
            let key = key_of(&row.value);
            let known = self.values.insert(key.clone(), id);
            if known.is_none() {
                self.text_bytes += key.text_bytes();
            }
            if known != Some(id) {
                self.text_bytes += key.text_bytes();
                bucket.values.push(key);
            }
        }
    }

    /// Whether a bucket goes with everything that came before `first`.
    pub fn has_past(&self, first: u64) -> bool {
        self.buckets.front().is_some_and(|b| b.until < first)
    }

    /// Buckets go of which all rows came before `first`.
    pub fn expire(&mut self, first: u64) {
        while self.has_past(first) {
            let Some(bucket) = self.buckets.pop_front() else {
                return;
            };
            self.count = self.count.saturating_sub(bucket.count);
            self.sum.take(&bucket.sum);
            for key in bucket.values {
                let mut freed = key.text_bytes();
                if self.values.get(&key) == Some(&bucket.id) {
                    self.values.remove(&key);
                    freed *= 2;
                }
                self.text_bytes = self.text_bytes.saturating_sub(freed);
            }
        }
    }

    /// Buckets, values and bytes of texts: what its memory is reckoned by.
    pub fn parts(&self) -> (usize, usize, usize) {
        (self.buckets.len(), self.values.len(), self.text_bytes)
    }

    /// Different values among these rows and `newest`.
    pub fn distinct(&self, newest: &[WindowRow]) -> usize {
        let is_new = |at: usize| {
            let value = &newest[at].value;
            !newest[..at].iter().any(|row| row.value == *value)
                && !self.values.contains_key(&key_of(value))
        };
        self.values.len() + (0..newest.len()).filter(|at| is_new(*at)).count()
    }

    /// Whether the value is among them.
    pub fn has(&self, wanted: &Dynamic) -> bool {
        let keys = wanted_keys(wanted);
        keys.iter()
            .flatten()
            .any(|key| self.values.contains_key(key))
    }

    pub fn put(&self, out: &mut Vec<u8>) {
        put_number(out, self.count as u64);
        self.sum.put(out);
        put_number(out, self.buckets.len() as u64);
        for bucket in &self.buckets {
            put_signed(out, bucket.slot);
            put_number(out, bucket.id);
            put_number(out, bucket.until);
            put_number(out, bucket.count as u64);
            bucket.sum.put(out);
            put_number(out, bucket.values.len() as u64);
            for value in &bucket.values {
                put_key(out, value);
                // Whether it is still the newest one's.
                out.push(u8::from(self.values.get(value) == Some(&bucket.id)));
            }
        }
    }

    pub fn read(bytes: &mut ByteReader<'_>) -> Option<OlderRows> {
        let mut older = OlderRows {
            count: bytes.size()?,
            sum: WindowSum::read(bytes)?,
            ..OlderRows::default()
        };
        for _ in 0..bytes.size()? {
            let mut bucket = WindowBucket {
                slot: bytes.signed()?,
                id: bytes.number()?,
                until: bytes.number()?,
                count: bytes.size()?,
                sum: WindowSum::read(bytes)?,
                values: Vec::new(),
            };
            for _ in 0..bytes.size()? {
                let key = read_key(bytes)?;
                older.text_bytes += key.text_bytes();
                if bytes.flag()? {
                    older.text_bytes += key.text_bytes();
                    older.values.insert(key.clone(), bucket.id);
                }
                bucket.values.push(key);
            }
            older.buckets.push_back(bucket);
        }
        Some(older)
    }
}

fn put_key(out: &mut Vec<u8>, key: &WindowValueKey) {
    match key {
        WindowValueKey::Nothing => out.push(0),
        WindowValueKey::Int(number) => {
            out.push(1);
            put_signed(out, *number);
        }
        WindowValueKey::Dec(amount) => {
            out.push(2);
            put_decimal(out, *amount);
        }
        WindowValueKey::Text(text) => {
            out.push(3);
            put_text(out, text);
        }
        WindowValueKey::Opaque => out.push(4),
    }
}

fn read_key(bytes: &mut ByteReader<'_>) -> Option<WindowValueKey> {
    Some(match bytes.byte()? {
        0 => WindowValueKey::Nothing,
        1 => WindowValueKey::Int(bytes.signed()?),
        2 => WindowValueKey::Dec(bytes.decimal()?),
        3 => WindowValueKey::Text(bytes.text()?.into()),
        4 => WindowValueKey::Opaque,
        _ => return None,
    })
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
