//! The view that a transaction rule gets: `tx.provenance`, `tx.accounts`, `tx.touches(…)`,
//! `tx.rows(…)`, `tx.net(…)`, `tx.moves(…)`. All of it is computed natively and
//! only when asked for.

use crate::rules::text::tables::{self, CATALOG_TABLES};
use crate::rules::transaction::provenance::{self, Provenance};
use crate::rules::transaction::row_groups::GroupCache;
use crate::rules::transaction::transaction_sums::{SummedTransaction, TransactionSums};
use crate::rules::views::limits::uncounted;
use crate::rules::views::row_position::RowPosition;
use crate::rules::views::row_view::RowView;
use crate::rules::views::trace::{self, TracedInput, TracedRead};
use crate::rules::views::values::{MAX_NAMED, RhaiResult, account_of, fail};
use crate::stream::change::{ChangeOp, ChangeTransaction, RowChange};
use rhai::{Array, Dynamic, Engine, ImmutableString, Map};
use sluice_contract::provenance::TransactionVerifier;
use std::sync::{Arc, OnceLock};

/// A transaction, shared by every rule that looks at it.
#[derive(Clone)]
pub struct TransactionView(Arc<TransactionViewInner>);

struct TransactionViewInner {
    transaction: Arc<ChangeTransaction>,
    keys: TransactionVerifier,
    provenance: OnceLock<Provenance>,
    cache: Arc<GroupCache>,
}

impl TransactionView {
    pub fn new(
        transaction: &Arc<ChangeTransaction>,
        keys: &TransactionVerifier,
    ) -> TransactionView {
        TransactionView(Arc::new(TransactionViewInner {
            transaction: Arc::clone(transaction),
            keys: keys.clone(),
            provenance: OnceLock::new(),
            cache: Arc::default(),
        }))
    }

    fn changes(&self, table: &str) -> RhaiResult<impl Iterator<Item = (usize, &Arc<RowChange>)>> {
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
        let said = uncounted(|| {
            *inner
                .provenance
                .get_or_init(|| provenance::of(&inner.transaction, &inner.keys))
        });
        let said = said.as_str();
        self.note("provenance", || said.to_owned());
        said.into()
    }

    fn note(&self, name: &str, value: impl FnOnce() -> String) {
        trace::note(|| TracedRead {
            position: self.0.transaction.position.to_string(),
            of: "transaction".to_owned(),
            name: name.to_owned(),
            value: Some(value()),
        });
    }

    pub fn seen(&self) -> TracedInput {
        let transaction = &self.0.transaction;
        TracedInput {
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
        if accounts.len() > MAX_NAMED {
            accounts.truncate(MAX_NAMED);
            accounts.push("");
        }
        self.note("accounts", || accounts.join(", "));
        accounts
            .into_iter()
            .map(|a| Dynamic::from(ImmutableString::from(a)))
            .collect()
    }

    fn touches(&mut self, table: &str) -> RhaiResult<bool> {
        let touches = self.changes(table)?.next().is_some();
        self.note(&format!("touches({table:?})"), || touches.to_string());
        Ok(touches)
    }

    fn rows(&mut self, table: &str) -> RhaiResult<Array> {
        let transaction = &self.0.transaction;
        let row = |(at, change): (usize, &Arc<RowChange>)| {
            let row = RowView {
                change: Arc::clone(change),
                row_position: RowPosition::new(&transaction.position, at),
            };
            Dynamic::from(row)
        };
        let rows: Array = self.changes(table)?.map(row).collect();
        self.note(&format!("rows({table:?})"), || rows.len().to_string());
        Ok(rows)
    }

    fn summed(&self) -> SummedTransaction {
        SummedTransaction {
            transaction: Arc::clone(&self.0.transaction),
            cache: Arc::clone(&self.0.cache),
        }
    }

    fn net(&mut self, table: &str, keys: Array, only: Map) -> RhaiResult<TransactionSums> {
        uncounted(|| TransactionSums::net(&self.summed(), table, &keys, &only))
    }

    fn moves(&mut self, table: &str, keys: Array, column: &str) -> RhaiResult<TransactionSums> {
        uncounted(|| TransactionSums::moves(&self.summed(), table, &keys, column))
    }
}

fn is_guarded(change: &RowChange) -> bool {
    let guarded = tables::find(&change.table.name).is_some_and(|at| CATALOG_TABLES[at].guarded);
    guarded || (change.table.name == "outbox" && change.op != ChangeOp::Delete)
}

/// Registers the view.
pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<TransactionView>("Tx")
        .register_get("provenance", TransactionView::provenance)
        .register_get("accounts", TransactionView::accounts)
        .register_fn("touches", TransactionView::touches)
        .register_fn("rows", TransactionView::rows)
        .register_fn("net", TransactionView::net)
        .register_fn("moves", TransactionView::moves);
}
