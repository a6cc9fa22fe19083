//! The watched tables and their columns, as in `migrations/`. A rule that names
//! anything else is refused when it is loaded, not when money moves.

/// What a column holds, as far as rules can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Int,
    /// `DECIMAL(20,4)`, in major units.
    Money,
}

/// One watched table.
#[derive(Debug)]
pub struct Known {
    pub name: &'static str,
    /// Whether the core signs every change of it (see `provenance`).
    pub guarded: bool,
    pub columns: &'static [(&'static str, Kind)],
}

use Kind::{Int, Money, Text};

pub const TABLES: [Known; 10] = [
    Known {
        name: "orders",
        guarded: true,
        columns: &[
            ("account_id", Text),
            ("order_id", Text),
            ("kind", Text),
            ("client", Text),
            ("transaction_id", Text),
            ("biz_no", Text),
            ("user_id", Text),
            ("to_account", Text),
            ("amount", Money),
            ("currency", Text),
            ("state", Text),
            ("channel", Text),
            ("serial_no", Text),
            ("trade_time", Text),
            ("attempts", Int),
            ("queries", Int),
            ("result_code", Text),
            ("version", Int),
            ("claim_id", Text),
            ("due_us", Int),
            ("created_us", Int),
            ("updated_us", Int),
            ("payment_no", Text),
            ("bank", Text),
            ("route", Text),
            ("sends", Int),
            ("notify_count", Int),
            ("notified_version", Int),
            ("notified_us", Int),
            ("acknowledged_us", Int),
            ("has_open_case", Int),
        ],
    },
    Known {
        name: "attempt",
        guarded: true,
        columns: &[
            ("account_id", Text),
            ("order_id", Text),
            ("attempt_no", Int),
            ("channel", Text),
            ("state", Text),
            ("live", Int),
            ("code", Text),
            ("created_us", Int),
            ("updated_us", Int),
        ],
    },
    Known {
        name: "balance",
        guarded: true,
        columns: &[
            ("account_id", Text),
            ("currency", Text),
            ("balance", Money),
            ("available", Money),
            ("reserved", Money),
            ("version", Int),
            ("updated_us", Int),
            ("intermediate", Money),
            ("intermediate_reserved", Money),
        ],
    },
    Known {
        name: "capture",
        guarded: true,
        columns: &[
            ("account_id", Text),
            ("payment_no", Text),
            ("currency", Text),
            ("captured", Money),
            ("refunded", Money),
            ("settled", Money),
            ("version", Int),
            ("updated_us", Int),
            ("event_time_us", Int),
        ],
    },
    Known {
        name: "cases",
        guarded: false,
        columns: &[
            ("account_id", Text),
            ("order_id", Text),
            ("kind", Text),
            ("detail", Text),
            ("state", Text),
            ("opened_us", Int),
            ("closed_us", Int),
            ("closed_by", Text),
            ("note", Text),
        ],
    },
    Known {
        name: "entry",
        guarded: true,
        columns: &[
            ("account_id", Text),
            ("posting_id", Text),
            ("line", Int),
            ("kind", Text),
            ("book", Text),
            ("side", Text),
            ("amount", Money),
            ("currency", Text),
            ("ref", Text),
            ("created_us", Int),
        ],
    },
    Known {
        name: "outbox",
        guarded: false,
        columns: &[
            ("account_id", Text),
            ("tx_id", Text),
            ("signature", Text),
            ("events", Text),
            ("created_us", Int),
        ],
    },
    Known {
        name: "fence_token",
        guarded: false,
        columns: &[("instance", Text), ("token", Int), ("updated_us", Int)],
    },
    Known {
        name: "checkpoint",
        guarded: false,
        columns: &[
            ("source", Text),
            ("position", Text),
            ("replay_from", Text),
            ("rules_hash", Text),
            ("updated_us", Int),
        ],
    },
    Known {
        name: "breaker",
        guarded: false,
        columns: &[
            ("point", Text),
            ("scope", Text),
            ("scope_key", Text),
            ("state", Text),
            ("verdict_id", Text),
            ("reason", Text),
            ("changed_by", Text),
            ("version", Int),
            ("updated_us", Int),
        ],
    },
];

/// Place of a table in [`TABLES`].
pub fn find(name: &str) -> Option<usize> {
    TABLES.iter().position(|t| t.name == name)
}

/// The tables whose names stand in quotes in a rule's code, a bit for each.
pub fn named(text: &str) -> u32 {
    let code = || {
        text.lines()
            .filter(|line| !line.trim_start().starts_with("//"))
    };
    let stands = |name: &str| {
        code().any(|line| {
            line.contains(&format!("\"{name}\"")) || line.contains(&format!("`{name}`"))
        })
    };
    TABLES
        .iter()
        .enumerate()
        .filter(|(_, t)| stands(t.name))
        .fold(0, |bits, (at, _)| bits | (1 << at))
}

impl Known {
    pub fn column(&self, name: &str) -> Option<Kind> {
        self.columns
            .iter()
            .find(|(c, _)| *c == name)
            .map(|(_, kind)| *kind)
    }

    /// The names of all columns, for a message.
    pub fn column_names(&self) -> String {
        self.columns
            .iter()
            .map(|(c, _)| *c)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// The names of all tables, for a message.
pub fn names() -> String {
    TABLES.iter().map(|t| t.name).collect::<Vec<_>>().join(", ")
}

/// Every column name once, sorted: rules get one getter for each.
pub fn all_columns() -> Vec<&'static str> {
    let mut all: Vec<&str> = TABLES
        .iter()
        .flat_map(|t| t.columns.iter().map(|(c, _)| *c))
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// The columns of `CREATE TABLE` in a migration, with their kinds.
    fn columns_of(sql: &str) -> Vec<(String, Kind)> {
        let body = sql.split_once('(').map(|(_, b)| b).unwrap_or_default();
        let column = |line: &str| {
            let mut words = line
                .trim_start()
                .trim_start_matches("ADD COLUMN ")
                .split_whitespace();
            let (name, kind) = (words.next()?, words.next()?);
            let kind = match kind.split('(').next()? {
                "VARCHAR" | "CHAR" | "TEXT" | "MEDIUMTEXT" => Text,
                "SMALLINT" | "TINYINT" | "INT" | "BIGINT" => Int,
                "DECIMAL" => Money,
                _ => return None,
            };
            Some((name.to_owned(), kind))
        };
        body.lines().filter_map(column).collect()
    }

    #[test]
    fn the_catalogue_is_what_the_migrations_create() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
        let mut made: std::collections::BTreeMap<String, Vec<(String, Kind)>> = Default::default();
        for folder in std::fs::read_dir(root).unwrap() {
            let files = std::fs::read_dir(folder.unwrap().path())
                .unwrap()
                .map(|f| f.unwrap().path());
            let number = |p: &std::path::PathBuf| {
                let name = p.file_name().unwrap().to_string_lossy().into_owned();
                name[1..]
                    .split("__")
                    .next()
                    .unwrap()
                    .parse::<u32>()
                    .unwrap()
            };
            let mut files: Vec<_> = files.collect();
            files.sort_by_key(number);
            for file in files {
                let sql = std::fs::read_to_string(file).unwrap();
                let created = sql
                    .split_once("CREATE TABLE ")
                    .map(|(_, rest)| (rest, columns_of(rest)));
                if let Some((rest, columns)) = created {
                    // The outbox is in three schemas, alike in each.
                    let name = rest.split_whitespace().next().unwrap().to_owned();
                    assert_eq!(made.entry(name).or_insert(columns.clone()), &columns);
                    continue;
                }
                // An ALTER has no bracket of its own: its columns begin a line.
                let altered = sql
                    .split_once("ALTER TABLE ")
                    .map(|(_, rest)| (rest, columns_of(&format!("({rest}"))));
                let Some((rest, columns)) = altered else {
                    continue;
                };
                made.entry(rest.split_whitespace().next().unwrap().to_owned())
                    .or_default()
                    .extend(columns);
            }
        }
        for known in &TABLES {
            let want: Vec<_> = known
                .columns
                .iter()
                .map(|(c, k)| ((*c).to_owned(), *k))
                .collect();
            assert_eq!(made.get(known.name), Some(&want), "{}", known.name);
        }
    }
}
