//! Exact sums over the rows of a transaction, per key. Rules ask for the few that
//! don't add up; the many that do never become Rhai values.

use crate::rules::text::tables;
use crate::rules::transaction::sum_key::{
    SumKey, add, column_of, decimal, key_columns, key_of, names,
};
use crate::rules::views::trace::{self, TracedRead};
use crate::rules::views::values::{MAX_NAMED, RhaiResult, account_of, equals, fail};
use crate::stream::change::{ChangeTransaction, ColumnValue, RowChange};
use ahash::AHashMap;
use rhai::{Array, Dynamic, Engine, ImmutableString, Map};
use rust_decimal::Decimal;
use std::sync::Arc;

/// A sum per key. The key is not copied: it is read from the row that began it.
#[derive(Clone)]
pub struct TransactionSums(Arc<TransactionSumsInner>);

struct TransactionSumsInner {
    transaction: Arc<ChangeTransaction>,
    /// The words in which it was asked for.
    asked: String,
    /// Places of the key's columns in the table.
    columns: Vec<usize>,
    totals: Vec<KeyedSum>,
}

struct KeyedSum {
    /// Place of the change that began this sum, and which of its images.
    change: usize,
    after: bool,
    sum: Decimal,
}

impl TransactionSums {
    /// Σ credits − Σ debits of `amount`, of the rows where every column of `only`
    /// has its value. A deleted row counts against.
    pub fn net(
        tx: &Arc<ChangeTransaction>,
        table: &str,
        keys: &Array,
        only: &Map,
    ) -> RhaiResult<TransactionSums> {
        let filter = |change: &RowChange, image: &[ColumnValue]| -> RhaiResult<bool> {
            for (column, wanted) in only {
                if !equals(column_of(change, image, column)?, wanted, column)? {
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
                ColumnValue::Text(side) if &**side == "C" => Ok(Some(amount)),
                ColumnValue::Text(side) if &**side == "D" => Ok(Some(-amount)),
                other => fail(format!("side of {table} is neither C nor D but {other:?}")),
            }
        })
    }

    /// Σ (after − before) of `column`; a row that was not there counts as 0.
    pub fn moves(
        tx: &Arc<ChangeTransaction>,
        table: &str,
        keys: &Array,
        column: &str,
    ) -> RhaiResult<TransactionSums> {
        let asked = || format!("{column} of {table} moves by {}", names(keys));
        Self::build(tx, table, keys, asked, |change, image| {
            decimal(change, image, column).map(Some)
        })
    }

    fn build(
        tx: &Arc<ChangeTransaction>,
        table: &str,
        keys: &Array,
        asked: impl Fn() -> String,
        amount: impl Fn(&RowChange, &[ColumnValue]) -> RhaiResult<Option<Decimal>>,
    ) -> RhaiResult<TransactionSums> {
        if tables::find(table).is_none() {
            return fail(format!(
                "{table:?} is not a watched table: {}",
                tables::names()
            ));
        }
        let mut columns = Vec::new();
        let mut totals: Vec<KeyedSum> = Vec::new();
        let mut places: AHashMap<SumKey<'_>, usize> = AHashMap::new();
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
                    None => totals.push(KeyedSum {
                        change: at,
                        after,
                        sum: signed,
                    }),
                }
            }
        }
        drop(places);
        let asked = if trace::is_tracing() {
            asked()
        } else {
            String::new()
        };
        Ok(TransactionSums(Arc::new(TransactionSumsInner {
            transaction: Arc::clone(tx),
            asked,
            columns,
            totals,
        })))
    }

    fn nonzero(&mut self) -> Array {
        let wrong = self.0.totals.iter().filter(|t| !t.sum.is_zero());
        let found = wrong
            .take(MAX_NAMED + 1)
            .map(|t| self.describe(t, [("amount", t.sum)]))
            .collect();
        self.note_found("nonzero", &found);
        bounded(found)
    }

    /// The keys whose sums differ from `other`'s; a key that one side lacks has 0 there.
    fn differs(&mut self, other: TransactionSums) -> Array {
        let theirs: AHashMap<SumKey<'_>, Decimal> = other
            .0
            .totals
            .iter()
            .map(|t| (other.key(t), t.sum))
            .collect();
        let ours: AHashMap<SumKey<'_>, Decimal> =
            self.0.totals.iter().map(|t| (self.key(t), t.sum)).collect();
        let mut found = Array::new();
        for total in &self.0.totals {
            if found.len() > MAX_NAMED {
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
        for total in missing.take((MAX_NAMED + 1).saturating_sub(found.len())) {
            found.push(other.describe(total, [("left", Decimal::ZERO), ("right", total.sum)]));
        }
        self.note_found(&format!("differs from {}", other.0.asked), &found);
        bounded(found)
    }

    fn note_found(&self, how: &str, found: &Array) {
        trace::note(|| TracedRead {
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

    fn image(&self, total: &KeyedSum) -> Option<(&RowChange, &[ColumnValue])> {
        let change = self.0.transaction.changes.get(total.change)?;
        let image = if total.after {
            &change.after
        } else {
            &change.before
        };
        Some((change, image.as_deref()?))
    }

    fn key(&self, total: &KeyedSum) -> SumKey<'_> {
        self.image(total).map_or(SumKey::default(), |(_, image)| {
            key_of(image, &self.0.columns)
        })
    }

    fn describe<const N: usize>(&self, total: &KeyedSum, sums: [(&str, Decimal); N]) -> Dynamic {
        let key: Array = self.key(total).texts().map(Dynamic::from).collect();
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

/// All beyond the bound is one more, of nobody in particular: a
/// violation of it stops everybody.
fn bounded(mut found: Array) -> Array {
    if found.len() > MAX_NAMED
        && let Some(mut last) = found.pop().and_then(|last| last.try_cast::<Map>())
    {
        last.insert("account".into(), ImmutableString::new().into());
        found.push(last.into());
    }
    found
}

/// Registers the sums.
pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<TransactionSums>("Sums")
        .register_fn("nonzero", TransactionSums::nonzero)
        .register_fn("differs", TransactionSums::differs);
}
