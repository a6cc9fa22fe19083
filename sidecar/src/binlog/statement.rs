//! What the text of a statement in a binlog says about the rows that it touches. Judged
//! by verb and object, word by word: administration goes on, and what changes, moves or
//! removes rows of a watched table is not seen otherwise. What is not understood counts
//! as harmful.

use crate::binlog::alter_table;
use crate::binlog::sql_tokens::{self, SqlToken};
use crate::binlog::watched_tables::WatchedTables;
use crate::stream::batches::UnloggedChange;

/// Characters of a statement that are kept: enough to find it in the server's own log.
const MAX_STATEMENT_CHARS: usize = 300;
/// The table of a statement that names none that is watched: a view, or a function.
const UNNAMED_TABLE: &str = "unknown";

/// Objects of which none has rows that are watched.
const ROWLESS_OBJECTS: [&str; 16] = [
    "VIEW",
    "INDEX",
    "TRIGGER",
    "PROCEDURE",
    "FUNCTION",
    "PACKAGE",
    "EVENT",
    "USER",
    "ROLE",
    "SERVER",
    "TABLESPACE",
    "LOGFILE",
    "RESOURCE",
    "REFERENCE",
    "INSTANCE",
    "LIBRARY",
];
const TABLE_KEYWORDS: [&str; 3] = ["TABLE", "TABLES", "SEQUENCE"];
const DATABASE_KEYWORDS: [&str; 2] = ["DATABASE", "SCHEMA"];

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
        .are_harmless()
    };
    !readings.is_empty() && readings.iter().all(judge)
}

/// Notes a statement that did not, with each watched table that it names.
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

/// What is left of a statement.
#[derive(Clone, Copy)]
pub(super) struct StatementCursor<'a> {
    pub watch: &'a WatchedTables,
    pub schema: &'a str,
    pub statement: &'a str,
    pub rest: &'a [SqlToken],
}

impl<'a> StatementCursor<'a> {
    fn are_harmless(mut self) -> bool {
        if let [before @ .., SqlToken::Sign(';')] = self.rest {
            self.rest = before;
        }
        let Some(verb) = self.word() else {
            return false;
        };
        match verb {
            "GRANT" | "REVOKE" | "FLUSH" | "INSTALL" | "UNINSTALL" => true,
            // `ANALYZE UPDATE …` runs the update.
            "ANALYZE" | "OPTIMIZE" | "REPAIR" | "CHECK" | "CHECKSUM" => {
                self.takes(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
                self.takes(&["TABLE", "TABLES", "VIEW"])
            }
            "SET" => self.takes(&["PASSWORD"]) || self.takes(&["DEFAULT"]) && self.takes(&["ROLE"]),
            "CREATE" => self.creates(),
            "DROP" => self.drops(),
            "TRUNCATE" => {
                self.takes(&["TABLE"]);
                self.unwatched_tables()
            }
            "RENAME" => self.takes(&["USER"]) || self.takes(&["TABLE", "TABLES"]) && self.renames(),
            "ALTER" => self.alters(),
            _ => false,
        }
    }

    fn creates(mut self) -> bool {
        let Some((object, before)) = self.object() else {
            return false;
        };
        let replaces = before.iter().any(|token| is(token, "REPLACE"));
        self.takes_all(&["IF", "NOT", "EXISTS"]);
        match object {
            // What a SELECT calls may do anything.
            _ if TABLE_KEYWORDS.contains(&object) => {
                let selects = self.rest.iter().any(|token| is(token, "SELECT"));
                let mut words = self;
                !selects
                    && words
                        .name()
                        .is_some_and(|table| !replaces || !self.is_watched(&table))
            }
            _ if DATABASE_KEYWORDS.contains(&object) => !replaces || self.is_other_schema(),
            // A trigger's or event's later effects come as rows.
            _ => true,
        }
    }

    fn drops(mut self) -> bool {
        let Some((object, before)) = self.object() else {
            return false;
        };
        self.takes_all(&["IF", "EXISTS"]);
        match object {
            // As servers write it when a session with such tables ends.
            _ if before.iter().any(|token| is(token, "TEMPORARY")) => true,
            _ if TABLE_KEYWORDS.contains(&object) => self.unwatched_tables(),
            _ if DATABASE_KEYWORDS.contains(&object) => self.is_other_schema(),
            _ => true,
        }
    }

    fn alters(mut self) -> bool {
        let Some((object, before)) = self.object() else {
            return false;
        };
        // A unique key over rows that are not: those are deleted.
        let ignores = before.iter().any(|token| is(token, "IGNORE"));
        match object {
            "TABLE" => {
                self.takes_all(&["IF", "EXISTS"]);
                let Some(table) = self.name() else {
                    return false;
                };
                self.waits();
                if self.is_watched(&table) {
                    return !ignores && alter_table::keeps_rows(self.rest);
                }
                // Another table may be put in the place of a watched one.
                !alter_table::moves(self.rest) || self.watch.named(self.statement).is_empty()
            }
            _ => true,
        }
    }

    /// `a TO b, c TO d`, none of them watched.
    fn renames(mut self) -> bool {
        self.takes_all(&["IF", "EXISTS"]);
        loop {
            let Some(from) = self.name() else {
                return false;
            };
            self.waits();
            let to = if self.takes(&["TO"]) {
                self.name()
            } else {
                None
            };
            let Some(to) = to else { return false };
            if self.is_watched(&from) || self.is_watched(&to) {
                return false;
            }
            if !self.takes_sign(',') {
                return self.rest.is_empty();
            }
        }
    }

    /// A list of tables, understood to its end.
    fn unwatched_tables(mut self) -> bool {
        loop {
            match self.name() {
                Some(table) if !self.is_watched(&table) => {}
                _ => return false,
            }
            if !self.takes_sign(',') {
                break;
            }
        }
        self.takes(&["RESTRICT", "CASCADE"]);
        self.waits();
        self.rest.is_empty()
    }

    fn is_other_schema(mut self) -> bool {
        self.name()
            .is_some_and(|(_, name)| !self.watch.is_schema(name))
    }

    fn is_watched(&self, (schema, table): &(Option<&str>, &str)) -> bool {
        self.watch.watches(schema.unwrap_or(self.schema), table)
    }

    /// What the statement is about, and the words before it.
    fn object(&mut self) -> Option<(&'a str, &'a [SqlToken])> {
        let known = |token: &SqlToken| match token {
            SqlToken::Word(word) => [&TABLE_KEYWORDS[..], &DATABASE_KEYWORDS, &ROWLESS_OBJECTS]
                .iter()
                .any(|some| some.contains(&word.as_str())),
            _ => false,
        };
        let at = self.rest.iter().position(known)?;
        let (before, from) = self.rest.split_at(at);
        self.rest = from;
        Some((self.word()?, before))
    }

    fn word(&mut self) -> Option<&'a str> {
        let [SqlToken::Word(word), rest @ ..] = self.rest else {
            return None;
        };
        self.rest = rest;
        Some(word)
    }

    /// Goes past one of these, if it is next.
    fn takes(&mut self, words: &[&str]) -> bool {
        let mut ahead = *self;
        let found = ahead.word().is_some_and(|word| words.contains(&word));
        if found {
            *self = ahead;
        }
        found
    }

    fn takes_all(&mut self, words: &[&str]) {
        let mut ahead = *self;
        if words.iter().all(|word| ahead.takes(&[word])) {
            *self = ahead;
        }
    }

    fn takes_sign(&mut self, sign: char) -> bool {
        let [SqlToken::Sign(next), rest @ ..] = self.rest else {
            return false;
        };
        if *next == sign {
            self.rest = rest;
        }
        *next == sign
    }

    /// `WAIT 5` or `NOWAIT`.
    fn waits(&mut self) {
        if self.takes(&["WAIT"]) {
            self.word();
        }
        self.takes(&["NOWAIT"]);
    }

    /// `schema.table` or `table`.
    fn name(&mut self) -> Option<(Option<&'a str>, &'a str)> {
        let first = self.part()?;
        if !self.takes_sign('.') {
            return Some((None, first));
        }
        Some((Some(first), self.part()?))
    }

    fn part(&mut self) -> Option<&'a str> {
        let [
            SqlToken::Word(part) | SqlToken::Name(part) | SqlToken::Text(part),
            rest @ ..,
        ] = self.rest
        else {
            return None;
        };
        self.rest = rest;
        Some(part)
    }
}

pub(super) fn is(token: &SqlToken, word: &str) -> bool {
    matches!(token, SqlToken::Word(text) if text == word)
}

/// The statement's first words in capitals, comments skipped; what stands in an
/// executable comment counts.
pub fn verb(statement: &str) -> String {
    let mut rest = statement.trim_start();
    loop {
        rest = if let Some(code) = rest
            .strip_prefix("/*!")
            .or_else(|| rest.strip_prefix("/*M!"))
        {
            code.trim_start_matches(|c: char| c.is_ascii_digit())
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, after)| after)
        } else if rest.starts_with("--") || rest.starts_with('#') {
            rest.split_once('\n').map_or("", |(_, after)| after)
        } else {
            break;
        }
        .trim_start();
    }
    let mut words = rest
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_ascii_uppercase);
    let first = words.next().unwrap_or_default();
    let second = words.next().unwrap_or_default();
    match (first.as_str(), second.as_str()) {
        ("XA", _) | ("ROLLBACK", "TO") => format!("{first} {second}"),
        _ => first,
    }
}

#[cfg(test)]
#[path = "statement_tests.rs"]
mod tests;
