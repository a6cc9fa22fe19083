//! What the text of a statement in a binlog says about the rows that it touches. Judged
//! by verb and object, word by word: administration goes on, and what changes, moves or
//! removes rows of a watched table is not seen otherwise. What is not understood counts
//! as harmful.

use super::watch::Watch;
use super::words::{self, Token};
use super::{Unseen, alter};

/// Characters of a statement that are kept: enough to find it in the server's own log.
const MOST_STATEMENT: usize = 300;
/// The table of a statement that names none that is watched: a view, or a function.
const UNNAMED: &str = "unknown";

/// Objects of which none has rows that are watched.
const ROWLESS: [&str; 16] = [
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
const TABLES: [&str; 3] = ["TABLE", "TABLES", "SEQUENCE"];
const DATABASES: [&str; 2] = ["DATABASE", "SCHEMA"];

/// Whether a statement of this default schema leaves the rows of watched tables as they
/// are, or tells them itself.
pub fn leaves_rows(watch: &Watch, schema: &str, statement: &str) -> bool {
    if !watch.concerns(schema, statement) {
        return true;
    }
    let readings = words::readings(statement);
    let judge = |tokens: &Vec<Token>| {
        Words {
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
pub fn note(watch: &Watch, statement: &str, unseen: &mut Vec<Unseen>) {
    let named = watch.named(statement);
    let named = if named.is_empty() {
        vec![UNNAMED]
    } else {
        named
    };
    for table in named {
        match unseen.iter_mut().find(|u| u.table == table) {
            Some(unseen) => unseen.count += 1,
            None => {
                let text = statement.chars().take(MOST_STATEMENT).collect();
                unseen.push(Unseen {
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
pub(super) struct Words<'a> {
    pub watch: &'a Watch,
    pub schema: &'a str,
    pub statement: &'a str,
    pub rest: &'a [Token],
}

impl<'a> Words<'a> {
    fn are_harmless(mut self) -> bool {
        if let [before @ .., Token::Sign(';')] = self.rest {
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
            _ if TABLES.contains(&object) => {
                let selects = self.rest.iter().any(|token| is(token, "SELECT"));
                let mut words = self;
                !selects
                    && words
                        .name()
                        .is_some_and(|table| !replaces || !self.is_watched(&table))
            }
            _ if DATABASES.contains(&object) => !replaces || self.is_other_schema(),
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
            _ if TABLES.contains(&object) => self.unwatched_tables(),
            _ if DATABASES.contains(&object) => self.is_other_schema(),
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
                    return !ignores && alter::keeps_rows(self.rest);
                }
                // Another table may be put in the place of a watched one.
                !alter::moves(self.rest) || self.watch.named(self.statement).is_empty()
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
    fn object(&mut self) -> Option<(&'a str, &'a [Token])> {
        let known = |token: &Token| match token {
            Token::Word(word) => [&TABLES[..], &DATABASES, &ROWLESS]
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
        let [Token::Word(word), rest @ ..] = self.rest else {
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
        let [Token::Sign(next), rest @ ..] = self.rest else {
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
            Token::Word(part) | Token::Name(part) | Token::Text(part),
            rest @ ..,
        ] = self.rest
        else {
            return None;
        };
        self.rest = rest;
        Some(part)
    }
}

pub(super) fn is(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(text) if text == word)
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
mod tests {
    use super::{leaves_rows, verb};
    use crate::sources::watch::Watch;
    use sluice_contract::schema::Schemas;

    fn is_harmless(schema: &str, text: &str) -> bool {
        leaves_rows(&Watch::new(&Schemas::under("t").unwrap()), schema, text)
    }

    #[test]
    fn administration_is_harmless() {
        let in_ledger = [
            "GRANT SELECT ON t_ledger.* TO reader",
            "CREATE USER x IDENTIFIED BY 'select'",
            "DROP USER IF EXISTS 'x'@'%'",
            "RENAME USER a TO b",
            "SET PASSWORD FOR a = 'x'",
            "SET DEFAULT ROLE r TO a",
            "CREATE VIEW v AS SELECT * FROM entry",
            "CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`%` SQL SECURITY DEFINER VIEW `v` AS select 1 from `t_ledger`.`entry`",
            "CREATE OR REPLACE VIEW v AS SELECT 1",
            "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`%`*/ /*!50003 TRIGGER x BEFORE UPDATE ON entry FOR EACH ROW BEGIN DELETE FROM y; END */",
            "CREATE DEFINER=a@b EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM entry",
            "DROP VIEW v",
            "DROP TRIGGER x",
            "DROP PROCEDURE p",
            "DROP FUNCTION IF EXISTS entry",
            "DROP EVENT e",
            "CREATE UNIQUE INDEX i ON entry (ref)",
            "DROP INDEX i ON entry",
            "OPTIMIZE TABLE entry",
            "REPAIR LOCAL TABLE entry",
            "ANALYZE TABLE entry",
            "ANALYZE NO_WRITE_TO_BINLOG TABLE entry",
            "ALTER DATABASE t_ledger CHARACTER SET utf8mb4",
            "DROP DATABASE archive",
            "CREATE OR REPLACE DATABASE archive",
        ];
        for text in in_ledger {
            assert!(is_harmless("t_ledger", text), "{text}");
        }
    }

    #[test]
    fn changes_of_tables_that_keep_their_rows_are_harmless() {
        let in_ledger = [
            "CREATE TABLE new (`select` INT COMMENT 'select')",
            "CREATE TABLE IF NOT EXISTS entry (id INT)",
            "CREATE OR REPLACE TABLE scratch (id INT)",
            "DROP /*!40005 TEMPORARY */ TABLE IF EXISTS `entry`",
            "-- Why.\nDROP TABLE IF EXISTS scratch, `old` CASCADE /* generated by server */;",
            "DROP TABLE other.entry",
            "TRUNCATE scratch WAIT 5",
            "TRUNCATE TABLE other.entry",
            "RENAME TABLE scratch TO other.scratch, a WAIT 5 TO b",
            "ALTER TABLE scratch MODIFY x BIGINT, DROP COLUMN y, RENAME TO z",
            "ALTER TABLE entry ADD COLUMN last_changed_us BIGINT NULL AFTER ref, ADD note VARCHAR(9) DEFAULT 'drop, change'",
            "ALTER ONLINE TABLE t_ledger.entry WAIT 3 ADD (a INT, b INT), ALGORITHM=INPLACE, LOCK=NONE",
            "ALTER TABLE entry ADD COLUMN changed_us BIGINT NULL",
            "ALTER TABLE entry ALTER COLUMN ref DROP DEFAULT, DROP INDEX i, DROP FOREIGN KEY f, RENAME INDEX a TO b",
            "ALTER TABLE entry ENGINE=InnoDB ROW_FORMAT=DYNAMIC, FORCE, COMMENT 'rename to x'",
            "ALTER TABLE entry ADD PARTITION (PARTITION p9 VALUES LESS THAN (9))",
            "ALTER TABLE entry ADD FOREIGN KEY (account_id) REFERENCES a (id) ON DELETE RESTRICT",
            "/*!40000 ALTER TABLE `entry` DISABLE KEYS */",
        ];
        for text in in_ledger {
            assert!(is_harmless("t_ledger", text), "{text}");
        }
    }

    #[test]
    fn what_touches_rows_or_is_not_understood_is_harmful() {
        let in_ledger = [
            "UPDATE entry SET amount=1",
            "UPDATE scratch SET x=1",
            "REPLACE INTO entry VALUES (1)",
            "LOAD DATA INFILE 'x' INTO TABLE entry",
            "SELECT pay_everybody()",
            "ANALYZE UPDATE entry SET amount=1",
            "ANALYZE FORMAT=JSON DELETE FROM entry",
            "EXPLAIN ANALYZE UPDATE entry SET amount=1",
            "SET STATEMENT max_statement_time=9 FOR TRUNCATE entry",
            "CREATE OR REPLACE TABLE entry (id INT)",
            "CREATE TABLE x SELECT 1",
            "CREATE OR REPLACE DATABASE t_ledger",
            "DROP DATABASE t_ledger",
            "DROP SCHEMA IF EXISTS `T_LEDGER`",
            "DROP TABLE entry",
            "DROP TABLE scratch, t_ledger.`Entry`",
            "DROP TABLE /*!50000 entry, */ x",
            "DROP TABLE /*M!999999 entry, */ x",
            "DROP /*!99999 TEMPORARY */ TABLE entry",
            "DROP TABLE scratch everything",
            "/*!50000 TRUNCATE entry */",
            "TRUNCATE t_orders.attempt",
            "RENAME TABLE entry TO x",
            "RENAME TABLE scratch TO a, x TO entry",
            "ALTER TABLE entry RENAME TO x",
            "ALTER TABLE entry RENAME AS x",
            "ALTER TABLE entry RENAME COLUMN amount TO x",
            "ALTER TABLE entry DROP PARTITION p0",
            "ALTER TABLE entry DROP amount",
            "ALTER TABLE entry DROP `index`",
            "ALTER TABLE entry ADD x INT, DROP COLUMN amount",
            "ALTER TABLE entry MODIFY amount INT",
            "ALTER TABLE entry CHANGE amount amount INT",
            "ALTER TABLE entry CONVERT TO CHARACTER SET latin1",
            "ALTER TABLE entry ENGINE=BLACKHOLE",
            "ALTER TABLE entry FORCE ENGINE 'MEMORY'",
            "ALTER TABLE entry TRUNCATE PARTITION p0",
            "ALTER TABLE entry EXCHANGE PARTITION p0 WITH TABLE x",
            "ALTER TABLE entry DISCARD TABLESPACE",
            "ALTER TABLE entry SOMETHING NEW",
            "ALTER IGNORE TABLE entry ADD UNIQUE (ref)",
            "ALTER TABLE entry ADD FOREIGN KEY (account_id) REFERENCES a (id) ON DELETE CASCADE",
            "ALTER TABLE scratch RENAME TO entry",
            "ALTER TABLE scratch EXCHANGE PARTITION p WITH TABLE entry",
            "DROP TABLE 'entry",
        ];
        for text in in_ledger {
            assert!(!is_harmless("t_ledger", text), "{text}");
        }
        assert!(
            !is_harmless("other", "UPDATE `t_ledger`.x SET a=1")
                && !is_harmless("", "DROP TABLE t_ledger.entry")
        );
        assert!(
            !is_harmless("", "DROP TABLE entry, t_ledger.scratch"),
            "whose entry it is, is not known"
        );
        // Another schema, whose name only begins as ours does.
        assert!(is_harmless("other", "UPDATE t_ledger_archive.x SET a=1"));
    }

    /// A sidecar that runs while a core migrates, or reads from the oldest binlog on,
    /// meets them all.
    #[test]
    fn every_migration_is_harmless() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
        let folders = std::fs::read_dir(root).unwrap().map(|f| f.unwrap().path());
        let files: Vec<_> = folders
            .flat_map(|f| std::fs::read_dir(f).unwrap())
            .map(|f| f.unwrap().path())
            .collect();
        assert!(files.len() > 30);
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let folder = file
                .parent()
                .and_then(|f| f.file_name())
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            assert!(
                is_harmless(&format!("t_{folder}"), &text),
                "{} would trip",
                file.display()
            );
        }
    }

    #[test]
    fn verbs_by_table() {
        let cases = [
            ("BEGIN", "BEGIN"),
            ("  commit ", "COMMIT"),
            ("/*!50000 TRUNCATE TABLE entry */", "TRUNCATE"),
            ("-- ticket 7\nUPDATE balance SET x=1", "UPDATE"),
            ("# ticket 7\n/* by me */ DELETE FROM entry", "DELETE"),
            ("/* app=1 */ update t set a=1", "UPDATE"),
            ("ROLLBACK TO `s`", "ROLLBACK TO"),
            ("ROLLBACK", "ROLLBACK"),
            ("XA COMMIT 'x'", "XA COMMIT"),
            ("INSERT`t`VALUES(1)", "INSERT"),
            ("", ""),
        ];
        for (statement, want) in cases {
            assert_eq!(verb(statement), want, "{statement}");
        }
    }
}
