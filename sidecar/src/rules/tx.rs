//! What transaction rules see: `tx.provenance`, `tx.accounts`, `tx.touches(…)`,
//! `tx.rows(…)`, `tx.net(…)`, `tx.moves(…)`. All of it is computed natively and
//! only when asked for.

use super::provenance::{self, Provenance};
use super::sums::Sums;
use super::tables::{self, TABLES};
use super::types::{Answer, Row, fail};
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
        Tx(Arc::new(Inner { transaction: Arc::clone(transaction), key: key.clone(), provenance: OnceLock::new() }))
    }

    fn changes(&self, table: &str) -> Answer<impl Iterator<Item = &Arc<Change>>> {
        if tables::find(table).is_none() {
            return fail(format!("{table:?} is not a watched table: {}", tables::names()));
        }
        Ok(self.0.transaction.changes.iter().filter(move |c| c.table.name == table))
    }

    fn provenance(&mut self) -> ImmutableString {
        let inner = &*self.0;
        inner.provenance.get_or_init(|| provenance::of(&inner.transaction, &inner.key)).as_str().into()
    }

    /// Each account that a guarded change or an outbox row names, once. Of a mass
    /// change the first hundred and then "", which stands for everybody: however
    /// large it is, a rule can still say it.
    fn accounts(&mut self) -> Array {
        let mut accounts: Vec<&str> = Vec::new();
        let mut seen = ahash::AHashSet::new();
        for change in self.0.transaction.changes.iter().filter(|c| is_guarded(c)) {
            for account in [&change.before, &change.after].into_iter().flatten().filter_map(|i| account_of(change, i)) {
                if seen.insert(account) {
                    accounts.push(account);
                }
            }
        }
        if accounts.len() > MOST_NAMED {
            accounts.truncate(MOST_NAMED);
            accounts.push("");
        }
        accounts.into_iter().map(|a| Dynamic::from(ImmutableString::from(a))).collect()
    }

    fn touches(&mut self, table: &str) -> Answer<bool> {
        Ok(self.changes(table)?.next().is_some())
    }

    fn rows(&mut self, table: &str) -> Answer<Array> {
        Ok(self.changes(table)?.map(|c| Dynamic::from(Row(Arc::clone(c)))).collect())
    }

    fn net(&mut self, table: &str, keys: Array, only: Map) -> Answer<Sums> {
        Sums::net(&self.0.transaction, table, &keys, &only)
    }

    fn moves(&mut self, table: &str, keys: Array, column: &str) -> Answer<Sums> {
        Sums::moves(&self.0.transaction, table, &keys, column)
    }
}

fn is_guarded(change: &Change) -> bool {
    let guarded = tables::find(&change.table.name).is_some_and(|at| TABLES[at].guarded);
    guarded || (change.table.name == "outbox" && change.op != Op::Delete)
}

/// The account of a row, if it has one.
pub fn account_of<'a>(change: &Change, image: &'a [Value]) -> Option<&'a str> {
    match change.table.column("account_id").and_then(|at| image.get(at)) {
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
