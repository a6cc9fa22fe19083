//! Judges what the text of a statement in a binlog says about the rows that it touches. Judged
//! by verb and object, word by word: administration goes on, and whatever changes, moves or
//! removes rows of a watched table is not seen otherwise. A statement that is not understood
//! counts as harmful.

mod alter_table;
mod cursor;
mod judge;
pub mod sql_scan;
pub mod sql_tokens;
mod unlogged;
mod verb;

pub use crate::binlog::statement::unlogged::note_unlogged;
pub use crate::binlog::statement::verb::verb;

use crate::binlog::statement::cursor::StatementCursor;
use crate::binlog::statement::sql_tokens::SqlToken;
use crate::binlog::watched_tables::WatchedTables;

/// Whether a statement of this default schema leaves the rows of watched tables as they
/// are, or tells them itself.
pub fn leaves_rows(watch: &WatchedTables, schema: &str, statement: &str) -> bool {
    if !watch.concerns(schema, statement) {
        return true;
    }
    let readings = sql_tokens::readings(statement);
    let judge = |tokens: &Vec<SqlToken>| {
        StatementCursor {
            watch,
            schema,
            statement,
            rest: tokens,
        }
        .is_harmless()
    };
    !readings.is_empty() && readings.iter().all(judge)
}

#[cfg(test)]
mod harmful_tests;
#[cfg(test)]
mod harmless_tests;
