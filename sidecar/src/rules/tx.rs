//! What transaction rules see: `tx.provenance`, `tx.accounts`, `tx.touches(…)`,
//! `tx.rows(…)`, `tx.net(…)`, `tx.moves(…)`. All of it is computed natively and
//! only when asked for.

use super::engine;
use super::provenance::{self, Provenance};
use super::sums::Sums;
use super::tables::{self, TABLES};
use super::trace::{self, InputSeen, Read};
use super::types::{Answer, Row, Seat, fail};
use crate::change::{Change, Op, Transaction, Value};
use rhai::{Array, Dynamic, Engine, ImmutableString, Map};
use sluice_contract::settings::Secret;
use std::sync::{Arc, OnceLock};

/// Accounts and sums that a rule is told one by one; what is beyond is everybody.
pub const MOST_NAMED: usize = 100;

/// A transaction, shared by every rule that looks at it.
#[derive(Clone)]
pub struct Tx(Arc<Inner>);

struct Inner {
    transaction: Arc<Transaction>,
    key: Secret,
    provenance: OnceLock<Provenance>,
}

impl Tx {
    pub fn new(transaction: &Arc<Transaction>, key: &Secret) -> Tx {
        Tx(Arc::new(Inner {
            transaction: Arc::clone(transaction),
            key: key.clone(),
            provenance: OnceLock::new(),
        }))
    }

    fn changes(&self, table: &str) -> Answer<impl Iterator<Item = (usize, &Arc<Change>)>> {
        if tables::find(table).is_none() {
            return fail(format!(
                "{table:?} is not a watched table: {}",
                tables::names()
            ));
        }
        Ok(self
            .0
            .transaction
            .changes
            .iter()
            .enumerate()
            .filter(move |(_, c)| c.table.name == table))
    }

    fn provenance(&mut self) -> ImmutableString {
        let inner = &*self.0;
        let said = engine::uncounted(|| {
            *inner
                .provenance
                .get_or_init(|| provenance::of(&inner.transaction, &inner.key))
        });
        let said = said.as_str();
        self.note("provenance", || said.to_owned());
        said.into()
    }

    fn note(&self, name: &str, value: impl FnOnce() -> String) {
        trace::note(|| Read {
            position: self.0.transaction.position.to_string(),
            of: "transaction".to_owned(),
            name: name.to_owned(),
            value: Some(value()),
        });
    }

    pub fn seen(&self) -> InputSeen {
        let transaction = &self.0.transaction;
        InputSeen {
            position: transaction.position.to_string(),
            what: format!("transaction of {} watched rows", transaction.changes.len()),
        }
    }

    /// Each account that a guarded change or an outbox row names, once. Of a mass
    /// change the first hundred and then "", which stands for everybody: however
    /// large it is, a rule can still say it.
    fn accounts(&mut self) -> Array {
        let mut accounts: Vec<&str> = Vec::new();
        let mut seen = ahash::AHashSet::new();
        for change in self.0.transaction.changes.iter().filter(|c| is_guarded(c)) {
            for account in [&change.before, &change.after]
                .into_iter()
                .flatten()
                .filter_map(|i| account_of(change, i))
            {
                if seen.insert(account) {
                    accounts.push(account);
                }
            }
        }
        if accounts.len() > MOST_NAMED {
            accounts.truncate(MOST_NAMED);
            accounts.push("");
        }
        self.note("accounts", || accounts.join(", "));
        accounts
            .into_iter()
            .map(|a| Dynamic::from(ImmutableString::from(a)))
            .collect()
    }

    fn touches(&mut self, table: &str) -> Answer<bool> {
        let touches = self.changes(table)?.next().is_some();
        self.note(&format!("touches({table:?})"), || touches.to_string());
        Ok(touches)
    }

    fn rows(&mut self, table: &str) -> Answer<Array> {
        let transaction = &self.0.transaction;
        let row = |(at, change): (usize, &Arc<Change>)| {
            let row = Row {
                change: Arc::clone(change),
                seat: Seat::new(&transaction.position, at),
            };
            Dynamic::from(row)
        };
        let rows: Array = self.changes(table)?.map(row).collect();
        self.note(&format!("rows({table:?})"), || rows.len().to_string());
        Ok(rows)
    }

    fn net(&mut self, table: &str, keys: Array, only: Map) -> Answer<Sums> {
        engine::uncounted(|| Sums::net(&self.0.transaction, table, &keys, &only))
    }

    fn moves(&mut self, table: &str, keys: Array, column: &str) -> Answer<Sums> {
        engine::uncounted(|| Sums::moves(&self.0.transaction, table, &keys, column))
    }
}

fn is_guarded(change: &Change) -> bool {
    let guarded = tables::find(&change.table.name).is_some_and(|at| TABLES[at].guarded);
    guarded || (change.table.name == "outbox" && change.op != Op::Delete)
}

/// The account of a row, if it has one.
pub fn account_of<'a>(change: &Change, image: &'a [Value]) -> Option<&'a str> {
    match change
        .table
        .column("account_id")
        .and_then(|at| image.get(at))
    {
        Some(Value::Text(account)) => Some(account),
        _ => None,
    }
}

pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Tx>("Tx")
        .register_get("provenance", Tx::provenance)
        .register_get("accounts", Tx::accounts)
        .register_fn("touches", Tx::touches)
        .register_fn("rows", Tx::rows)
        .register_fn("net", Tx::net)
        .register_fn("moves", Tx::moves);
}
