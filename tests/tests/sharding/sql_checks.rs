//! Checks of one statement: it names one account, and takes nothing that spans two.

use crate::sharding::tables::{OTHER_TABLES, TABLE_FAMILIES, TABLES_BY_ACCOUNT};

/// Words that no statement may hold.
const FORBIDDEN_SQL: [&str; 19] = [
    "FOREIGN KEY",
    "REFERENCES",
    "TRIGGER",
    "PROCEDURE",
    "AUTO_INCREMENT",
    "SEQUENCE",
    "REPLACE",
    "RETURNING",
    "XA",
    "CALL",
    "TEMPORARY",
    "OVER",
    "SKIP LOCKED",
    "FOR SHARE",
    "LOCK IN SHARE MODE",
    "JOIN",
    "UNION",
    "LAST_INSERT_ID",
    "LOCK TABLES",
];

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Position of `word` in `text` as words of its own.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        let after = bytes.get(at + word.len());
        (*at == 0 || !is_word(bytes[at - 1])) && !after.is_some_and(|b| is_word(*b))
    })
}

pub(super) fn forbidden(text: &str) -> Option<String> {
    let word = FORBIDDEN_SQL
        .into_iter()
        .find(|word| find_word(text, word).is_some())?;
    Some(format!("{word} doesn't work on a sharded engine"))
}

/// One line, quoted texts emptied, no schema before a table.
fn plain(sql: &str) -> String {
    let mut out = String::new();
    for (at, part) in sql.split('\'').enumerate() {
        out.push_str(if at % 2 == 0 { part } else { "''" });
    }
    let mut text = out.split_whitespace().collect::<Vec<_>>().join(" ");
    while let Some(from) = text.find('{') {
        let to = text[from..].find('}').map_or(text.len(), |n| from + n + 1);
        let schema = text[to..].starts_with('.');
        text.replace_range(
            from..to + usize::from(schema),
            if schema { "" } else { "?" },
        );
    }
    text
}

/// The name after `word`.
pub(super) fn table_after(text: &str, word: &str) -> Option<String> {
    let rest = text[find_word(text, word)? + word.len()..].trim_start();
    Some(
        rest.chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '?')
            .collect(),
    )
}

/// The fault of one statement of a program; `free` allows reads without account.
pub(super) fn complaint(sql: &str, free: bool) -> Option<String> {
    let text = plain(sql);
    if let Some(word) = forbidden(&text) {
        return Some(word);
    }
    if text.matches("SELECT ").count() > 1 && !text.contains(';') {
        return Some("a select within another statement may cross shards".into());
    }
    if let Some((_, set)) = text.split_once("ON DUPLICATE KEY UPDATE")
        && assigns_account(set)
    {
        return Some("the sharding column can't be updated".into());
    }
    let verb = text.split(' ').next().unwrap_or_default();
    let table = match verb {
        "INSERT" => table_after(&text, "INTO"),
        "UPDATE" => table_after(&text, "UPDATE"),
        "SELECT" | "DELETE" => table_after(&text, "FROM"),
        _ => None,
    }?;
    if verb == "INSERT" {
        let after = text[text.find("INTO").unwrap_or(0) + 4..].trim_start();
        let columns = after.strip_prefix(table.as_str()).map(str::trim_start);
        return (!columns.is_some_and(|c| c.starts_with('(')))
            .then(|| "INSERT must name its columns".into());
    }
    let from = text.find("FROM").unwrap_or(0);
    if verb == "SELECT"
        && text[from..]
            .split(" WHERE ")
            .next()
            .unwrap_or_default()
            .contains(',')
    {
        let list = text[from..].split(" ORDER ").next().unwrap_or_default();
        if list
            .split(" WHERE ")
            .next()
            .unwrap_or_default()
            .contains(',')
        {
            return Some("a list of tables is a join".into());
        }
    }
    if verb == "UPDATE" && text.split(" WHERE ").next().is_some_and(assigns_account) {
        return Some("the sharding column can't be updated".into());
    }
    if !TABLES_BY_ACCOUNT.contains(&table.as_str()) {
        return (!is_known(&table))
            .then(|| format!("table {table:?}: say in this test how it is sharded"));
    }
    let named = text
        .split_once(" WHERE ")
        .is_some_and(|(_, condition)| find_word(condition, "account_id").is_some());
    let locks = verb != "SELECT" || find_word(&text, "FOR UPDATE").is_some();
    match (named, locks, free) {
        (true, ..) | (false, false, true) => None,
        (false, true, _) => Some(format!(
            "{verb} on {table} names no account_id: it goes to every shard"
        )),
        (false, false, false) => Some(format!(
            "a read of {table} without account_id is not in UNSHARDED_READS"
        )),
    }
}

fn assigns_account(set: &str) -> bool {
    set.match_indices("account_id").any(|(at, name)| {
        let free = at == 0 || !is_word(set.as_bytes()[at - 1]);
        free && set[at + name.len()..].trim_start().starts_with('=')
    })
}

pub(super) fn is_known(table: &str) -> bool {
    OTHER_TABLES.iter().any(|(name, ..)| *name == table)
        || TABLE_FAMILIES
            .iter()
            .any(|(family, _)| table.starts_with(family))
}
