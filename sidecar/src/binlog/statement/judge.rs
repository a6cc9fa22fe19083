//! The judgement of one reading of a statement, by verb and object.

use crate::binlog::statement::alter_table;
use crate::binlog::statement::cursor::{DATABASE_KEYWORDS, StatementCursor, TABLE_KEYWORDS, is};
use crate::binlog::statement::sql_tokens::SqlToken;

impl StatementCursor<'_> {
    /// Whether the statement leaves watched rows as they are; one that is not understood does
    /// not.
    pub fn is_harmless(mut self) -> bool {
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
            // It may write into what a program signs in the same transaction.
            "TRIGGER" => false,
            // An event's or procedure's later effects come as rows.
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
            // A unique one kept the second of two rows out.
            "INDEX" => self.is_index_of_others(),
            _ => true,
        }
    }

    /// `name ON table`, which is not watched.
    fn is_index_of_others(mut self) -> bool {
        self.name().is_some()
            && self.takes(&["ON"])
            && self.name().is_some_and(|table| !self.is_watched(&table))
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
}
