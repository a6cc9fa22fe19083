//! The watched tables and their columns, as in `migrations/`. A rule that names
//! anything else is refused when it is loaded, not when money moves.

/// The kind of a column's values, as far as rules can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    Text,
    Int,
    /// `DECIMAL(20,4)`, in major units.
    Money,
}

/// One watched table.
#[derive(Debug)]
pub struct CatalogTable {
    pub name: &'static str,
    /// Whether the core signs every change of it (see `provenance`).
    pub guarded: bool,
    pub columns: &'static [(&'static str, ColumnKind)],
}

use crate::rules::text::tables::ColumnKind::{Int, Money, Text};

pub const CATALOG_TABLES: [CatalogTable; 10] = [
    CatalogTable {
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
            ("identity", Text),
            ("key_scope", Text),
            ("predecessor_id", Text),
            ("request_mac", Text),
            ("send_mac", Text),
            ("waiting_since_us", Int),
            ("send_by_us", Int),
            ("last_pending_us", Int),
            ("send_refusal", Text),
            ("accepted_us", Int),
            ("correlation_id", Text),
            ("traceparent", Text),
            ("send_by_sending", Int),
        ],
    },
    CatalogTable {
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
    CatalogTable {
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
    CatalogTable {
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
            ("payer", Text),
        ],
    },
    CatalogTable {
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
    CatalogTable {
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
            ("client", Text),
            ("mac", Text),
        ],
    },
    CatalogTable {
        name: "outbox",
        guarded: false,
        columns: &[
            ("account_id", Text),
            ("tx_id", Text),
            ("signature", Text),
            ("events", Text),
            ("created_us", Int),
            ("proof", Text),
        ],
    },
    CatalogTable {
        name: "fence_token",
        guarded: false,
        columns: &[
            ("instance", Text),
            ("token", Int),
            ("updated_us", Int),
            ("mac", Text),
        ],
    },
    CatalogTable {
        name: "checkpoint",
        guarded: false,
        columns: &[
            ("source", Text),
            ("position", Text),
            ("replay_from", Text),
            ("rules_hash", Text),
            ("updated_us", Int),
            ("mac", Text),
        ],
    },
    CatalogTable {
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
            ("mac", Text),
        ],
    },
];

/// Place of a table in [`CATALOG_TABLES`].
pub fn find(name: &str) -> Option<usize> {
    CATALOG_TABLES.iter().position(|t| t.name == name)
}

/// The tables whose names stand in quotes in a rule's code, a bit for each.
pub fn tables_named(text: &str) -> u32 {
    let code = || {
        text.lines()
            .filter(|line| !line.trim_start().starts_with("//"))
    };
    let stands = |name: &str| {
        code().any(|line| {
            line.contains(&format!("\"{name}\"")) || line.contains(&format!("`{name}`"))
        })
    };
    CATALOG_TABLES
        .iter()
        .enumerate()
        .filter(|(_, t)| stands(t.name))
        .fold(0, |bits, (at, _)| bits | (1 << at))
}

impl CatalogTable {
    pub fn column(&self, name: &str) -> Option<ColumnKind> {
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
    CATALOG_TABLES
        .iter()
        .map(|t| t.name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Every column name once, sorted: rules get one getter for each.
pub fn all_columns() -> Vec<&'static str> {
    let mut all: Vec<&str> = CATALOG_TABLES
        .iter()
        .flat_map(|t| t.columns.iter().map(|(c, _)| *c))
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
#[path = "tables_tests.rs"]
mod tests;
