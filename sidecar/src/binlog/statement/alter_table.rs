//! `ALTER TABLE`, judged clause by clause: which of them leave every row as it was.

use crate::binlog::statement::cursor::is;
use crate::binlog::statement::sql_tokens::SqlToken;

/// Clauses by their first word that change, move or remove no value. A partition is added
/// empty, and reorganized with its rows.
const HARMLESS_CLAUSES: [&str; 50] = [
    "ADD",
    "ALGORITHM",
    "ALTER",
    "ANALYZE",
    "AUTO_INCREMENT",
    "AUTOEXTEND_SIZE",
    "AVG_ROW_LENGTH",
    "CHARACTER",
    "CHARSET",
    "CHECK",
    "CHECKSUM",
    "COALESCE",
    "COLLATE",
    "COMMENT",
    "COMPRESSION",
    "DEFAULT",
    "DELAY_KEY_WRITE",
    "DISABLE",
    "ENABLE",
    "ENCRYPTED",
    "ENCRYPTION",
    "ENCRYPTION_KEY_ID",
    "ENGINE",
    "ENGINE_ATTRIBUTE",
    "FORCE",
    "KEY_BLOCK_SIZE",
    "LOCK",
    "MAX_ROWS",
    "MIN_ROWS",
    "NOWAIT",
    "OPTIMIZE",
    "ORDER",
    "PACK_KEYS",
    "PAGE_CHECKSUM",
    "PAGE_COMPRESSED",
    "PAGE_COMPRESSION_LEVEL",
    "PARTITION",
    "REBUILD",
    "REMOVE",
    "REORGANIZE",
    "REPAIR",
    "ROW_FORMAT",
    "STATS_AUTO_RECALC",
    "STATS_PERSISTENT",
    "STATS_SAMPLE_PAGES",
    "TABLESPACE",
    "TABLE_CHECKSUM",
    "WAIT",
    "WITH",
    "WITHOUT",
];
/// Keys that our own migrations replace: they only find rows, and keep none out.
const LOOKUP_KEYS: [&str; 2] = ["by_transaction", "by_biz"];

/// Whether the clauses leave a watched table's rows as they are, and where rules find them.
pub fn keeps_rows(clauses: &[SqlToken]) -> bool {
    each(clauses).is_some_and(|all| all.iter().all(|clause| is_harmless(clause)))
}

/// Whether the clauses put rows of one table into another, or give it another's name.
pub fn moves(clauses: &[SqlToken]) -> bool {
    let moved = |clause: &&[SqlToken]| match words(clause)[..] {
        ["RENAME", "COLUMN" | "INDEX" | "KEY", ..] => false,
        [first, ..] => matches!(first, "RENAME" | "EXCHANGE" | "CONVERT" | "UNION"),
        [] => false,
    };
    each(clauses).is_none_or(|all| all.iter().any(moved))
}

/// Parts between commas that stand in no parentheses; `None` if those don't match.
fn each(tokens: &[SqlToken]) -> Option<Vec<&[SqlToken]>> {
    let (mut all, mut from, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, token) in tokens.iter().enumerate() {
        match token {
            SqlToken::Sign('(') => depth += 1,
            SqlToken::Sign(')') => depth = depth.checked_sub(1)?,
            SqlToken::Sign(',') if depth == 0 => {
                all.push(&tokens[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    all.push(&tokens[from..]);
    (depth == 0).then_some(all)
}

/// The first two words of a clause; what is no word is empty.
fn words(clause: &[SqlToken]) -> Vec<&str> {
    clause.iter().take(2).map(word).collect()
}

fn word(token: &SqlToken) -> &str {
    match token {
        SqlToken::Word(word) => word,
        _ => "",
    }
}

fn is_harmless(clause: &[SqlToken]) -> bool {
    let first = match words(clause)[..] {
        // A column or partition has rows; a key or check kept wrong ones out.
        ["DROP", ..] => drops_lookup_key(clause),
        ["RENAME", what, ..] => matches!(what, "INDEX" | "KEY"),
        [first, ..] => HARMLESS_CLAUSES.contains(&first),
        // `ALTER TABLE x` alone.
        [] => true,
    };
    first && stays_in_innodb(clause) && !cascades(clause)
}

fn drops_lookup_key(clause: &[SqlToken]) -> bool {
    let [_, what, SqlToken::Word(name) | SqlToken::Name(name)] = clause else {
        return false;
    };
    (is(what, "KEY") || is(what, "INDEX"))
        && LOOKUP_KEYS.iter().any(|key| name.eq_ignore_ascii_case(key))
}

/// Another engine may lose rows (`BLACKHOLE`) or take them from other tables.
fn stays_in_innodb(clause: &[SqlToken]) -> bool {
    let value = |at: usize| match clause.get(at + 1) {
        Some(SqlToken::Sign('=')) => clause.get(at + 2),
        other => other,
    };
    let is_innodb = |token: &SqlToken| matches!(token, SqlToken::Word(engine) | SqlToken::Name(engine) | SqlToken::Text(engine) if engine.eq_ignore_ascii_case("innodb"));
    (0..clause.len())
        .filter(|at| is(&clause[*at], "ENGINE"))
        .all(|at| value(at).is_some_and(is_innodb))
}

/// A foreign key by which the engine itself changes rows: those are in no binlog.
fn cascades(clause: &[SqlToken]) -> bool {
    let sets = |pair: &[SqlToken]| {
        is(&pair[0], "SET") && (is(&pair[1], "NULL") || is(&pair[1], "DEFAULT"))
    };
    let refers = clause.iter().any(|token| is(token, "REFERENCES"));
    refers && (clause.iter().any(|token| is(token, "CASCADE")) || clause.windows(2).any(sets))
}
