//! Notes of statements that changed a watched table and left no rows.

use crate::binlog::watched_tables::WatchedTables;
use crate::stream::batches::UnloggedChange;

/// Characters of a statement that are kept: enough to find it in the server's own log.
const MAX_STATEMENT_CHARS: usize = 300;
/// The table of a statement that names none that is watched: a view, or a function.
const UNNAMED_TABLE: &str = "unknown";

/// Notes a statement that did not leave the rows, with each watched table that it names.
pub fn note_unlogged(watch: &WatchedTables, statement: &str, unlogged: &mut Vec<UnloggedChange>) {
    let named = watch.named(statement);
    let named = if named.is_empty() {
        vec![UNNAMED_TABLE]
    } else {
        named
    };
    for table in named {
        match unlogged.iter_mut().find(|u| u.table == table) {
            Some(unlogged) => unlogged.count += 1,
            None => {
                let text = statement.chars().take(MAX_STATEMENT_CHARS).collect();
                unlogged.push(UnloggedChange {
                    table,
                    text,
                    count: 1,
                });
            }
        }
    }
}
