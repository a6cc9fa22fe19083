//! Columns that halves of pairs are kept with: those that the rules of the set name, and no
//! others of a wide row.

use crate::stream::change::{ColumnValue, RowChange, TableSchema};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Columns that the engine itself asks a half for.
const ASKED_COLUMNS: [&str; 2] = ["account_id", "client"];
/// Layouts of tables that are known at once; an ALTER makes one more.
const MAX_LAYOUTS: usize = 64;

/// A table as it comes, and as it is kept.
#[derive(Debug)]
struct KeptLayout {
    whole: Arc<TableSchema>,
    kept: Arc<TableSchema>,
    places: Vec<usize>,
}

/// Makes rows small. Several rules that keep the same row share it.
#[derive(Debug, Default)]
pub struct KeptColumns {
    words: Arc<BTreeSet<String>>,
    layouts: Vec<KeptLayout>,
    last: Option<(Arc<RowChange>, Arc<RowChange>)>,
}

impl KeptColumns {
    /// Columns that are among `words`.
    pub fn named(words: &Arc<BTreeSet<String>>) -> KeptColumns {
        KeptColumns {
            words: Arc::clone(words),
            ..KeptColumns::default()
        }
    }

    /// The row after the change, with the columns that are kept.
    pub fn of(&mut self, change: &Arc<RowChange>) -> Arc<RowChange> {
        if let Some((last, kept)) = &self.last
            && Arc::ptr_eq(last, change)
        {
            return Arc::clone(kept);
        }
        let layout = self.layout(&change.table);
        let values = |image: &[ColumnValue]| {
            let places = layout.places.iter();
            places.filter_map(|at| image.get(*at).cloned()).collect()
        };
        let kept = Arc::new(RowChange {
            table: Arc::clone(&layout.kept),
            op: change.op,
            before: None,
            after: change.after.as_deref().map(values),
        });
        self.last = Some((Arc::clone(change), Arc::clone(&kept)));
        kept
    }

    /// Lets go of the row that was kept last.
    pub fn end_input(&mut self) {
        self.last = None;
    }

    fn layout(&mut self, table: &Arc<TableSchema>) -> &KeptLayout {
        let same = |known: &KeptLayout| Arc::ptr_eq(&known.whole, table) || *known.whole == **table;
        let at = self.layouts.iter().position(same);
        let at = at.unwrap_or_else(|| {
            if self.layouts.len() == MAX_LAYOUTS {
                self.layouts.clear();
            }
            let is_kept = |column: &String| {
                ASKED_COLUMNS.contains(&column.as_str()) || self.words.contains(column)
            };
            let columns = table.columns.iter().enumerate();
            let kept = columns.filter(|(_, column)| is_kept(column));
            let (places, columns) = kept.map(|(at, column)| (at, column.clone())).unzip();
            self.layouts.push(KeptLayout {
                whole: Arc::clone(table),
                kept: Arc::new(TableSchema {
                    name: table.name.clone(),
                    columns,
                }),
                places,
            });
            self.layouts.len() - 1
        });
        &self.layouts[at]
    }
}
