//! Watched tables: which they are, and which of them a statement touches.

mod table_map;

pub use crate::binlog::watched_tables::table_map::{TablePlan, TableReadPlan, table_id};

use crate::stream::change::ChangeOp;

use crate::binlog::watched_tables::table_map::KnownTableMaps;
use ahash::AHashMap;
use mysql_async::binlog::events::TableMapEvent;
use sluice_contract::schema::Schemas;

/// The watched tables of one stream.
pub struct WatchedTables {
    names: AHashMap<(String, String), &'static str>,
    schemas: Vec<String>,
    known: KnownTableMaps,
    /// The server takes names that differ in case alone for one, and stores them in its own.
    folds_names: bool,
}

impl WatchedTables {
    pub fn new(schemas: &Schemas) -> Self {
        WatchedTables::of(schemas, |_| true)
    }

    /// Of those schemas alone whose logical name (`balance`) is `here`.
    pub fn of(schemas: &Schemas, here: impl Fn(&str) -> bool) -> Self {
        let here: Vec<&str> = schemas
            .each()
            .into_iter()
            .filter(|(logical, _)| here(logical))
            .map(|(_, name)| name)
            .collect();
        let tables = tables(schemas)
            .into_iter()
            .filter(|((schema, _), _)| here.contains(&schema.as_str()));
        WatchedTables {
            names: tables.collect(),
            schemas: here.iter().map(|name| (*name).to_owned()).collect(),
            known: KnownTableMaps::default(),
            folds_names: false,
        }
    }

    /// Whether a statement of this default schema may touch a watched schema: it is in one,
    /// or names one as a whole word.
    pub fn concerns(&self, schema: &str, statement: &str) -> bool {
        let mut words = statement.split(|c: char| !is_part(c));
        self.is_schema(schema) || words.any(|word| self.is_schema(word))
    }

    /// Whether a schema of this name has watched tables.
    pub fn is_schema(&self, name: &str) -> bool {
        self.schemas
            .iter()
            .any(|schema| schema.eq_ignore_ascii_case(name))
    }

    /// Whether this table is watched. Without a schema: whether one of this name is.
    pub fn watches(&self, schema: &str, table: &str) -> bool {
        let here = |known: &String| schema.is_empty() || known.eq_ignore_ascii_case(schema);
        self.names
            .keys()
            .any(|(known, name)| name.eq_ignore_ascii_case(table) && here(known))
    }

    /// The watched tables that a statement names, in the order of their names.
    pub fn named(&self, statement: &str) -> Vec<&'static str> {
        let statement = statement.to_ascii_lowercase();
        let words: Vec<&str> = statement
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .collect();
        let mut named: Vec<&'static str> = self
            .names
            .values()
            .copied()
            .filter(|name| words.contains(name))
            .collect();
        named.sort_unstable();
        named.dedup();
        named
    }

    /// The server's `lower_case_table_names`: whether names that differ in case are one.
    pub fn fold_names(&mut self, folds: bool) {
        if std::mem::replace(&mut self.folds_names, folds) != folds {
            self.known = KnownTableMaps::default();
        }
    }

    /// Learns a table map. `body` is the event's; an unchanged one is not parsed again.
    ///
    /// # Errors
    /// A map that is cut short.
    pub fn learn(
        &mut self,
        body: &[u8],
        parse: impl FnOnce() -> std::io::Result<TableMapEvent<'static>>,
    ) -> anyhow::Result<()> {
        let (names, folds) = (&self.names, self.folds_names);
        self.known.learn(body, parse, |schema, table| {
            let is = |known: &str, name: &str| {
                known == name || (folds && known.to_lowercase() == name.to_lowercase())
            };
            let mut all = names.iter();
            all.find(|((s, t), _)| is(s, schema) && is(t, table))
                .map(|(_, name)| *name)
        })
    }

    /// The way in which rows of this table id are read; `None` if no table map came before.
    pub fn plan(&self, table_id: u64) -> Option<TablePlan> {
        self.known.plan(table_id)
    }
}

/// Whether a character is part of a name or number without quotes.
pub fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

/// Whether rows of a watched table that change this way are read. Of some tables only what is
/// taken away matters, and the many that come are not even decoded.
pub fn is_read(table: &str, op: ChangeOp) -> bool {
    match (table, op) {
        ("idempotency", ChangeOp::Insert) => false,
        ("booking_intent" | "limit_total", ChangeOp::Insert | ChangeOp::Update) => false,
        (_, ChangeOp::Insert | ChangeOp::Update | ChangeOp::Delete) => true,
    }
}

/// Every watched table: its schema and name there, and its logical name.
pub fn tables(schemas: &Schemas) -> [((String, String), &'static str); 24] {
    let tables = [
        (&schemas.orders, "orders"),
        (&schemas.orders, "attempt"),
        (&schemas.orders, "outbox"),
        (&schemas.orders, "cases"),
        (&schemas.balance, "balance"),
        (&schemas.balance, "capture"),
        (&schemas.ledger, "entry"),
        // Written there if the books are split and one of them is here.
        (&schemas.balance, "outbox"),
        (&schemas.ledger, "outbox"),
        (&schemas.guard, "fence_token"),
        (&schemas.guard, "checkpoint"),
        (&schemas.guard, "breaker"),
        // Of no rule's concern: `rules::transaction::guard_changes` judges them.
        (&schemas.guard, "breaker_transition"),
        (&schemas.guard, "suppression"),
        (&schemas.guard, "rule_set"),
        (&schemas.guard, "rule_member"),
        (&schemas.guard, "rule_active"),
        (&schemas.guard, "lease"),
        (&schemas.guard, "guard_seal"),
        (&schemas.orders, "route_active"),
        (&schemas.orders, "route_activation"),
        (&schemas.orders, "limit_total"),
        (&schemas.orders, "idempotency"),
        (&schemas.orders, "booking_intent"),
    ];
    tables.map(|(schema, table)| ((schema.clone(), table.to_owned()), table))
}

#[cfg(test)]
mod tests;
