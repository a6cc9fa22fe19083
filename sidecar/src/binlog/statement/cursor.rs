//! A cursor over a statement's tokens: takes words, names and signs off its front.

use crate::binlog::statement::sql_tokens::SqlToken;
use crate::binlog::watched_tables::WatchedTables;

/// Objects of which none has rows that are watched.
pub const ROWLESS_OBJECTS: [&str; 16] = [
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
pub const TABLE_KEYWORDS: [&str; 3] = ["TABLE", "TABLES", "SEQUENCE"];
pub const DATABASE_KEYWORDS: [&str; 2] = ["DATABASE", "SCHEMA"];

/// The rest of a statement.
#[derive(Clone, Copy)]
pub struct StatementCursor<'a> {
    pub watch: &'a WatchedTables,
    pub schema: &'a str,
    pub statement: &'a str,
    pub rest: &'a [SqlToken],
}

impl<'a> StatementCursor<'a> {
    pub fn is_watched(&self, (schema, table): &(Option<&str>, &str)) -> bool {
        self.watch.watches(schema.unwrap_or(self.schema), table)
    }

    /// The object that the statement is about, and the words before it.
    pub fn object(&mut self) -> Option<(&'a str, &'a [SqlToken])> {
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

    pub fn word(&mut self) -> Option<&'a str> {
        let [SqlToken::Word(word), rest @ ..] = self.rest else {
            return None;
        };
        self.rest = rest;
        Some(word)
    }

    /// Goes past one of these, if it is next.
    pub fn takes(&mut self, words: &[&str]) -> bool {
        let mut ahead = *self;
        let found = ahead.word().is_some_and(|word| words.contains(&word));
        if found {
            *self = ahead;
        }
        found
    }

    pub fn takes_all(&mut self, words: &[&str]) {
        let mut ahead = *self;
        if words.iter().all(|word| ahead.takes(&[word])) {
            *self = ahead;
        }
    }

    pub fn takes_sign(&mut self, sign: char) -> bool {
        let [SqlToken::Sign(next), rest @ ..] = self.rest else {
            return false;
        };
        if *next == sign {
            self.rest = rest;
        }
        *next == sign
    }

    /// `WAIT 5` or `NOWAIT`.
    pub fn waits(&mut self) {
        if self.takes(&["WAIT"]) {
            self.word();
        }
        self.takes(&["NOWAIT"]);
    }

    /// `schema.table` or `table`.
    pub fn name(&mut self) -> Option<(Option<&'a str>, &'a str)> {
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

/// Whether a token is this keyword.
pub fn is(token: &SqlToken, word: &str) -> bool {
    matches!(token, SqlToken::Word(text) if text == word)
}
