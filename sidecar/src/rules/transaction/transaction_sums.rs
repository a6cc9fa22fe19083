//! Exact sums over the rows of a transaction, per key. Rules ask for the few that
//! don't add up; the many that do never become Rhai values.

use crate::rules::text::tables;
use crate::rules::transaction::row_groups::{GroupCache, RowGroups, images};
use crate::rules::transaction::sum_key::{add, column_of, decimal, key_columns, names};
use crate::rules::views::trace::{self, TracedRead};
use crate::rules::views::values::{MAX_NAMED, RhaiResult, account_of, equals, fail};
use crate::stream::change::{ChangeTransaction, ColumnValue, RowChange};
use rhai::{Array, Dynamic, Engine, ImmutableString, Map};
use rust_decimal::Decimal;
use std::sync::Arc;

/// A sum per key. The key is not copied: it is read from the row that began it.
#[derive(Clone)]
pub struct TransactionSums(Arc<TransactionSumsInner>);

struct TransactionSumsInner {
    summed: SummedTransaction,
    /// The words in which it was asked for.
    asked: String,
    groups: Arc<RowGroups>,
    /// A sum for each group; none where no row counts.
    totals: Vec<Decimal>,
}

/// A transaction whose rows are summed, and the groups that all sums share.
#[derive(Clone)]
pub struct SummedTransaction {
    pub transaction: Arc<ChangeTransaction>,
    pub cache: Arc<GroupCache>,
}

impl TransactionSums {
    /// Σ credits − Σ debits of `amount`, of the rows where every column of `only`
    /// has its value. A deleted row counts against.
    pub fn net(
        of: &SummedTransaction,
        table: &str,
        keys: &Array,
        only: &Map,
    ) -> RhaiResult<TransactionSums> {
        let asked = || {
            let only: String = only
                .iter()
                .map(|(column, wanted)| format!(", {column} = {wanted}"))
                .collect();
            format!("net of {table} by {}{only}", names(keys))
        };
        Self::build(of, table, keys, asked, |change, image| {
            for (column, wanted) in only {
                if !equals(column_of(change, image, column)?, wanted, column)? {
                    return Ok(None);
                }
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
        of: &SummedTransaction,
        table: &str,
        keys: &Array,
        column: &str,
    ) -> RhaiResult<TransactionSums> {
        let asked = || format!("{column} of {table} moves by {}", names(keys));
        Self::build(of, table, keys, asked, |change, image| {
            decimal(change, image, column).map(Some)
        })
    }

    fn build(
        of: &SummedTransaction,
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
        let transaction = &*of.transaction;
        let mut groups: Option<Arc<RowGroups>> = None;
        let mut totals: Vec<Decimal> = Vec::new();
        for (at, (place, change, image)) in images(transaction, table).enumerate() {
            if at == 0 {
                key_columns(change, keys)?;
            }
            let Some(amount) = amount(change, image)? else {
                continue;
            };
            let groups = match &groups {
                Some(groups) => groups,
                None => {
                    let made = of.cache.groups(transaction, table, keys)?;
                    totals.resize(made.firsts.len(), Decimal::ZERO);
                    groups.insert(made)
                }
            };
            let signed = if place.after { amount } else { -amount };
            let group = groups.of_image.get(at).map_or(0, |group| *group as usize);
            if let Some(total) = totals.get_mut(group) {
                *total = add(*total, signed)?;
            }
        }
        let asked = if trace::is_tracing() {
            asked()
        } else {
            String::new()
        };
        Ok(TransactionSums(Arc::new(TransactionSumsInner {
            summed: of.clone(),
            asked,
            groups: groups.unwrap_or_default(),
            totals,
        })))
    }

    fn nonzero(&mut self) -> Array {
        let totals = self.0.totals.iter().enumerate();
        let found = totals
            .filter(|(_, sum)| !sum.is_zero())
            .take(MAX_NAMED + 1)
            .map(|(group, sum)| self.describe(group, [("amount", *sum)]))
            .collect();
        self.note_found("nonzero", &found);
        bounded(found)
    }

    /// The keys whose sums differ from `other`'s; a key that one side lacks has 0 there.
    fn differs(&mut self, other: TransactionSums) -> Array {
        let (ours, theirs) = (&self.0, &other.0);
        let of = &ours.summed;
        let joined = of.cache.join(&of.transaction, &ours.groups, &theirs.groups);
        let mut is_met = vec![false; theirs.totals.len()];
        let mut found = Array::new();
        for (group, sum) in ours.totals.iter().enumerate() {
            let met = joined.get(group).copied().flatten().map(|at| at as usize);
            let right = met.and_then(|at| theirs.totals.get(at)).copied();
            if let Some(is_met) = met.and_then(|at| is_met.get_mut(at)) {
                *is_met = true;
            }
            let right = right.unwrap_or_default();
            if *sum != right && found.len() <= MAX_NAMED {
                found.push(self.describe(group, [("left", *sum), ("right", right)]));
            }
        }
        for (group, sum) in theirs.totals.iter().enumerate() {
            let is_missing = is_met.get(group) == Some(&false) && !sum.is_zero();
            if is_missing && found.len() <= MAX_NAMED {
                found.push(other.describe(group, [("left", Decimal::ZERO), ("right", *sum)]));
            }
        }
        self.note_found(&format!("differs from {}", other.0.asked), &found);
        bounded(found)
    }

    fn note_found(&self, how: &str, found: &Array) {
        trace::note(|| TracedRead {
            position: self.0.summed.transaction.position.to_string(),
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

    fn describe<const N: usize>(&self, group: usize, sums: [(&str, Decimal); N]) -> Dynamic {
        let (transaction, groups) = (&*self.0.summed.transaction, &self.0.groups);
        let key: Array = groups
            .key(transaction, group)
            .texts()
            .map(Dynamic::from)
            .collect();
        let first = groups
            .firsts
            .get(group)
            .and_then(|first| first.of(transaction));
        let account = first.and_then(|(change, image)| account_of(change, image));
        let account = account.unwrap_or_default();
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

#[cfg(test)]
#[path = "transaction_sums_tests.rs"]
mod tests;
