//! Rows of one table of a transaction by the values of some of its columns. Rules ask for many
//! sums by the same columns, book after book: the rows are hashed once for all of them.

use crate::rules::transaction::sum_key::{SumKey, key_columns, key_of};
use crate::rules::views::values::RhaiResult;
use crate::stream::change::{ChangeTransaction, ColumnValue, RowChange};
use ahash::AHashMap;
use rhai::{Array, ImmutableString};
use std::sync::{Arc, Mutex, PoisonError};

/// Groups, and joins, that are kept of one transaction: the shipped rules ask for three. What a
/// rule asks for beyond is made each time.
const MAX_KEPT: usize = 16;

/// One image of a row of a transaction.
#[derive(Debug, Clone, Copy)]
pub struct ImagePlace {
    /// Place of the change in the transaction.
    pub change: u32,
    pub after: bool,
}

impl ImagePlace {
    /// The change and its image, if it has that one.
    pub fn of(self, transaction: &ChangeTransaction) -> Option<(&RowChange, &[ColumnValue])> {
        let change = transaction.changes.get(self.change as usize)?;
        let image = if self.after {
            &change.after
        } else {
            &change.before
        };
        Some((change, image.as_deref()?))
    }
}

/// Images of one table's rows, by key.
#[derive(Debug, Default)]
pub struct RowGroups {
    /// Places of the key's columns in the table.
    columns: Vec<usize>,
    /// The group of each image of the table, in the order of changes, before-images first.
    pub of_image: Vec<u32>,
    /// The image that began each group.
    pub firsts: Vec<ImagePlace>,
}

impl RowGroups {
    /// # Errors
    /// The table has no such column.
    fn build(tx: &ChangeTransaction, table: &str, keys: &Array) -> RhaiResult<RowGroups> {
        let mut groups = RowGroups::default();
        let mut known: AHashMap<SumKey<'_>, u32> = AHashMap::new();
        for (place, change, image) in images(tx, table) {
            if groups.columns.is_empty() {
                groups.columns = key_columns(change, keys)?;
            }
            let new = groups.firsts.len() as u32;
            let group = *known.entry(key_of(image, &groups.columns)).or_insert(new);
            if group == new {
                groups.firsts.push(place);
            }
            groups.of_image.push(group);
        }
        Ok(groups)
    }

    /// The key of a group.
    pub fn key<'t>(&self, tx: &'t ChangeTransaction, group: usize) -> SumKey<'t> {
        let image = self.firsts.get(group).and_then(|first| first.of(tx));
        image.map_or(SumKey::default(), |(_, image)| key_of(image, &self.columns))
    }

    /// For each of these groups the one of `other` with the same key.
    fn joined(&self, tx: &ChangeTransaction, other: &RowGroups) -> Vec<Option<u32>> {
        let theirs: AHashMap<SumKey<'_>, u32> = (0..other.firsts.len())
            .map(|group| (other.key(tx, group), group as u32))
            .collect();
        (0..self.firsts.len())
            .map(|group| theirs.get(&self.key(tx, group)).copied())
            .collect()
    }
}

/// Images of a table's rows, in the order of changes, before-images first.
pub fn images<'t>(
    tx: &'t ChangeTransaction,
    table: &str,
) -> impl Iterator<Item = (ImagePlace, &'t RowChange, &'t [ColumnValue])> {
    let changes = tx.changes.iter().enumerate();
    changes
        .filter(move |(_, change)| change.table.name == table)
        .flat_map(|(at, change)| {
            [(false, &change.before), (true, &change.after)]
                .into_iter()
                .filter_map(move |(after, image)| {
                    let place = ImagePlace {
                        change: at as u32,
                        after,
                    };
                    Some((place, &**change, image.as_deref()?))
                })
        })
}

/// Groups by the table and the columns that were asked for.
type KeptGroups = Vec<(String, Vec<ImmutableString>, Arc<RowGroups>)>;
/// Joins by the two groups.
type KeptJoins = Vec<(Arc<RowGroups>, Arc<RowGroups>, Arc<[Option<u32>]>)>;

/// Groups and their joins that rules asked for of one transaction.
#[derive(Debug, Default)]
pub struct GroupCache {
    groups: Mutex<KeptGroups>,
    joins: Mutex<KeptJoins>,
}

impl GroupCache {
    /// The groups of a table's rows by the columns of `keys`.
    ///
    /// # Errors
    /// The table has no such column.
    pub fn groups(
        &self,
        tx: &ChangeTransaction,
        table: &str,
        keys: &Array,
    ) -> RhaiResult<Arc<RowGroups>> {
        let asked: Vec<ImmutableString> = keys
            .iter()
            .map(|key| key.clone().into_immutable_string().unwrap_or_default())
            .collect();
        let mut known = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known
            .iter()
            .find(|(t, keys, _)| t == table && *keys == asked);
        if let Some((_, _, groups)) = same {
            return Ok(Arc::clone(groups));
        }
        let groups = Arc::new(RowGroups::build(tx, table, keys)?);
        if known.len() < MAX_KEPT {
            known.push((table.to_owned(), asked, Arc::clone(&groups)));
        }
        Ok(groups)
    }

    /// For each group of `ours` the one of `theirs` with the same key.
    pub fn join(
        &self,
        tx: &ChangeTransaction,
        ours: &Arc<RowGroups>,
        theirs: &Arc<RowGroups>,
    ) -> Arc<[Option<u32>]> {
        let mut known = self.joins.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known
            .iter()
            .find(|(left, right, _)| Arc::ptr_eq(left, ours) && Arc::ptr_eq(right, theirs));
        if let Some((_, _, joined)) = same {
            return Arc::clone(joined);
        }
        let joined: Arc<[Option<u32>]> = ours.joined(tx, theirs).into();
        if known.len() < MAX_KEPT {
            known.push((Arc::clone(ours), Arc::clone(theirs), Arc::clone(&joined)));
        }
        joined
    }
}
