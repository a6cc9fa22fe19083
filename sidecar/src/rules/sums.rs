//! Exact sums over the rows of a transaction, per key. Rules ask for the few that
//! don't add up; the many that do never become Rhai values.

use super::tables;
use super::trace::{self, Read};
use super::tx::MOST_NAMED;
use super::tx::account_of;
use super::types::{Answer, equals, fail};
use crate::change::{Change, Transaction, Value};
use ahash::AHashMap;
use rhai::{Array, Dynamic, Engine, ImmutableString, Map};
use rust_decimal::Decimal;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Most columns of a key.
const MOST_KEYS: usize = 4;

/// A sum per key. The key is not copied: it is read from the row that began it.
#[derive(Clone)]
pub struct Sums(Arc<Inner>);

struct Inner {
    transaction: Arc<Transaction>,
    /// How it was asked for.
    asked: String,
    /// Places of the key's columns in the table.
    columns: Vec<usize>,
    totals: Vec<Total>,
}

struct Total {
    /// Place of the change that began this sum, and which of its images.
    change: usize,
    after: bool,
    sum: Decimal,
}

/// A key's values, borrowed.
#[derive(Clone, Copy)]
struct Key<'a>([Option<&'a Value>; MOST_KEYS]);

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for value in self.0.into_iter().flatten() {
            match value {
                Value::Text(text) => text.hash(state),
                Value::Int(number) => number.hash(state),
                Value::Dec(number) => number.hash(state),
                Value::Null | Value::Opaque => state.write_u8(0),
            }
        }
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Key<'_> {}

impl Sums {
    /// Σ credits − Σ debits of `amount`, of the rows where every column of `only`
    /// has its value. A deleted row counts against.
    pub fn net(tx: &Arc<Transaction>, table: &str, keys: &Array, only: &Map) -> Answer<Sums> {
        let filter = |change: &Change, image: &[Value]| -> Answer<bool> {
            for (column, wanted) in only {
                if !equals(column_of(change, image, column)?, wanted) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let asked = || {
            let only: String = only
                .iter()
                .map(|(column, wanted)| format!(", {column} = {wanted}"))
                .collect();
            format!("net of {table} by {}{only}", names(keys))
        };
        Self::build(tx, table, keys, asked, |change, image| {
            if !filter(change, image)? {
                return Ok(None);
            }
            let amount = decimal(change, image, "amount")?;
            match column_of(change, image, "side")? {
                Value::Text(side) if &**side == "C" => Ok(Some(amount)),
                Value::Text(side) if &**side == "D" => Ok(Some(-amount)),
                other => fail(format!("side of {table} is neither C nor D but {other:?}")),
            }
        })
    }

    /// Σ (after − before) of `column`; a row that was not there counts as 0.
    pub fn moves(tx: &Arc<Transaction>, table: &str, keys: &Array, column: &str) -> Answer<Sums> {
        let asked = || format!("{column} of {table} moves by {}", names(keys));
        Self::build(tx, table, keys, asked, |change, image| {
            decimal(change, image, column).map(Some)
        })
    }

    fn build(
        tx: &Arc<Transaction>,
        table: &str,
        keys: &Array,
        asked: impl Fn() -> String,
        amount: impl Fn(&Change, &[Value]) -> Answer<Option<Decimal>>,
    ) -> Answer<Sums> {
        if tables::find(table).is_none() {
            return fail(format!(
                "{table:?} is not a watched table: {}",
                tables::names()
            ));
        }
        let mut columns = Vec::new();
        let mut totals: Vec<Total> = Vec::new();
        let mut places: AHashMap<Key<'_>, usize> = AHashMap::new();
        for (at, change) in tx
            .changes
            .iter()
            .enumerate()
            .filter(|(_, c)| c.table.name == table)
        {
            if columns.is_empty() {
                columns = key_columns(change, keys)?;
            }
            for (after, image) in [(false, &change.before), (true, &change.after)] {
                let Some(image) = image else { continue };
                let Some(amount) = amount(change, image)? else {
                    continue;
                };
                let signed = if after { amount } else { -amount };
                let place = *places
                    .entry(key_of(image, &columns))
                    .or_insert(totals.len());
                match totals.get_mut(place) {
                    Some(total) => total.sum = add(total.sum, signed)?,
                    None => totals.push(Total {
                        change: at,
                        after,
                        sum: signed,
                    }),
                }
            }
        }
        drop(places);
        let asked = if trace::on() { asked() } else { String::new() };
        Ok(Sums(Arc::new(Inner {
            transaction: Arc::clone(tx),
            asked,
            columns,
            totals,
        })))
    }

    fn nonzero(&mut self) -> Array {
        let wrong = self.0.totals.iter().filter(|t| !t.sum.is_zero());
        let found = wrong
            .take(MOST_NAMED + 1)
            .map(|t| self.describe(t, [("amount", t.sum)]))
            .collect();
        self.told("nonzero", &found);
        bounded(found)
    }

    /// The keys whose sums differ from `other`'s; a key that one side lacks has 0 there.
    fn differs(&mut self, other: Sums) -> Array {
        let theirs: AHashMap<Key<'_>, Decimal> = other
            .0
            .totals
            .iter()
            .map(|t| (other.key(t), t.sum))
            .collect();
        let ours: AHashMap<Key<'_>, Decimal> =
            self.0.totals.iter().map(|t| (self.key(t), t.sum)).collect();
        let mut found = Array::new();
        for total in &self.0.totals {
            if found.len() > MOST_NAMED {
                break;
            }
            let right = theirs.get(&self.key(total)).copied().unwrap_or_default();
            if total.sum != right {
                found.push(self.describe(total, [("left", total.sum), ("right", right)]));
            }
        }
        let missing = other
            .0
            .totals
            .iter()
            .filter(|t| !t.sum.is_zero() && !ours.contains_key(&other.key(t)));
        for total in missing.take((MOST_NAMED + 1).saturating_sub(found.len())) {
            found.push(other.describe(total, [("left", Decimal::ZERO), ("right", total.sum)]));
        }
        self.told(&format!("differs from {}", other.0.asked), &found);
        bounded(found)
    }

    fn told(&self, how: &str, found: &Array) {
        trace::note(|| Read {
            position: self.0.transaction.position.to_string(),
            of: self.0.asked.clone(),
            name: how.to_owned(),
            value: Some(
                found
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
        });
    }

    fn image(&self, total: &Total) -> Option<(&Change, &[Value])> {
        let change = self.0.transaction.changes.get(total.change)?;
        let image = if total.after {
            &change.after
        } else {
            &change.before
        };
        Some((change, image.as_deref()?))
    }

    fn key(&self, total: &Total) -> Key<'_> {
        self.image(total)
            .map_or(Key([None; MOST_KEYS]), |(_, image)| {
                key_of(image, &self.0.columns)
            })
    }

    fn describe<const N: usize>(&self, total: &Total, sums: [(&str, Decimal); N]) -> Dynamic {
        let key: Array = self
            .key(total)
            .0
            .into_iter()
            .flatten()
            .map(|v| Dynamic::from(text_of(v)))
            .collect();
        let account = self
            .image(total)
            .and_then(|(change, image)| account_of(change, image))
            .unwrap_or_default();
        let mut map = Map::new();
        map.insert("key".into(), key.into());
        map.insert("account".into(), ImmutableString::from(account).into());
        for (name, sum) in sums {
            map.insert(name.into(), sum.normalize().into());
        }
        map.into()
    }
}

/// What is beyond the bound is told as one more, of nobody in particular: a
/// violation of it stops everybody.
fn bounded(mut found: Array) -> Array {
    if found.len() > MOST_NAMED
        && let Some(mut last) = found.pop().and_then(|last| last.try_cast::<Map>())
    {
        last.insert("account".into(), ImmutableString::new().into());
        found.push(last.into());
    }
    found
}

fn key_of<'a>(image: &'a [Value], columns: &[usize]) -> Key<'a> {
    let mut key = [None; MOST_KEYS];
    for (slot, column) in key.iter_mut().zip(columns) {
        *slot = image.get(*column);
    }
    Key(key)
}

fn names(keys: &Array) -> String {
    keys.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

fn key_columns(change: &Change, keys: &Array) -> Answer<Vec<usize>> {
    if keys.is_empty() || keys.len() > MOST_KEYS {
        return fail(format!(
            "a key has 1 to {MOST_KEYS} columns, not {}",
            keys.len()
        ));
    }
    let column = |key: &Dynamic| {
        let name = key.clone().into_immutable_string().unwrap_or_default();
        change.table.column(&name).map_or_else(
            || fail(format!("{} has no column {name:?}", change.table.name)),
            Ok,
        )
    };
    keys.iter().map(column).collect()
}

fn column_of<'a>(change: &Change, image: &'a [Value], column: &str) -> Answer<&'a Value> {
    let value = change.table.column(column).and_then(|at| image.get(at));
    value.map_or_else(
        || fail(format!("{} has no column {column}", change.table.name)),
        Ok,
    )
}

fn decimal(change: &Change, image: &[Value], column: &str) -> Answer<Decimal> {
    match column_of(change, image, column)? {
        Value::Dec(amount) => Ok(*amount),
        other => fail(format!(
            "{column} of {} is not an amount but {other:?}",
            change.table.name
        )),
    }
}

fn add(left: Decimal, right: Decimal) -> Answer<Decimal> {
    left.checked_add(right)
        .map_or_else(|| fail(format!("{left} + {right} is too large")), Ok)
}

fn text_of(value: &Value) -> ImmutableString {
    match value {
        Value::Text(text) => (&**text).into(),
        Value::Int(number) => number.to_string().into(),
        Value::Dec(number) => number.to_string().into(),
        Value::Null | Value::Opaque => "".into(),
    }
}

pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Sums>("Sums")
        .register_fn("nonzero", Sums::nonzero)
        .register_fn("differs", Sums::differs);
}
