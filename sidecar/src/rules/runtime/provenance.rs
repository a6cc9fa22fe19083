//! Whether the core wrote a transaction: the effects are computed again from its
//! row images and compared with the signature in its outbox row.

use crate::stream::change::{ChangeOp, ChangeTransaction, ColumnValue, RowChange, TableSchema};
use sluice_contract::money::column_units;
use sluice_contract::provenance::{OrderTextFields, TransactionEffects};
use sluice_contract::settings::Secret;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// Signed by the core, or nothing guarded was touched.
    Valid,
    /// Guarded rows changed without any outbox row.
    Missing,
    /// The signature covers something else, or a guarded row was deleted.
    Invalid,
}

impl Provenance {
    pub fn as_str(self) -> &'static str {
        match self {
            Provenance::Valid => "valid",
            Provenance::Missing => "missing",
            Provenance::Invalid => "invalid",
        }
    }
}

/// What the transaction's rows add up to.
pub struct SignedEffects<'a> {
    pub effects: TransactionEffects,
    /// Outbox rows inserted: table and image.
    outbox: Vec<(&'a TableSchema, &'a [ColumnValue])>,
    /// A guarded row was deleted, an outbox row was rewritten, or a value is none
    /// that the core writes.
    unsigned: bool,
    /// A balance or order was changed without raising its version: a genuine
    /// signature played again covers a version that is there already.
    replayed: bool,
}

/// Columns that are signed, for each guarded table, in the order of the effect.
const SIGNED_TABLES: [(&str, &[&str]); 5] = [
    (
        "balance",
        &[
            "account_id",
            "currency",
            "version",
            "balance",
            "available",
            "reserved",
            "intermediate",
            "intermediate_reserved",
        ],
    ),
    (
        "entry",
        &[
            "account_id",
            "posting_id",
            "line",
            "book",
            "side",
            "amount",
            "currency",
        ],
    ),
    (
        "orders",
        &[
            "account_id",
            "order_id",
            "version",
            "kind",
            "state",
            "to_account",
            "amount",
            "currency",
            "channel",
            "serial_no",
            "trade_time",
        ],
    ),
    (
        "attempt",
        &["account_id", "order_id", "attempt_no", "channel", "state"],
    ),
    (
        "capture",
        &[
            "account_id",
            "payment_no",
            "version",
            "currency",
            "captured",
            "refunded",
            "settled",
        ],
    ),
];
/// The widest of them.
const MAX_SIGNED_COLUMNS: usize = 11;
/// Where versioned tables have their version in `SIGNED_TABLES`.
const VERSION_COLUMN: usize = 2;
const VERSIONED_TABLES: [&str; 3] = ["balance", "orders", "capture"];

/// What one guarded table's columns are in this binlog.
struct SignedColumns<'a> {
    table: &'a Arc<TableSchema>,
    /// Place in `SIGNED_TABLES`; `None` for a table that isn't guarded.
    signed: Option<usize>,
    columns: [Option<usize>; MAX_SIGNED_COLUMNS],
}

pub fn of(transaction: &ChangeTransaction, key: &Secret) -> Provenance {
    let summary = summarize(transaction);
    match summary.outbox.as_slice() {
        _ if summary.unsigned => Provenance::Invalid,
        [] if summary.effects.is_empty() => Provenance::Valid,
        [] => Provenance::Missing,
        _ if summary.replayed => Provenance::Invalid,
        [(table, image)] if is_signed(&summary.effects, table, image, key) => Provenance::Valid,
        _ => Provenance::Invalid,
    }
}

fn is_signed(
    effects: &TransactionEffects,
    table: &TableSchema,
    image: &[ColumnValue],
    key: &Secret,
) -> bool {
    let text = |column: &str| match table.column(column).and_then(|at| image.get(at)) {
        Some(ColumnValue::Text(text)) => Some(text.as_bytes()),
        _ => None,
    };
    match (text("tx_id"), text("events"), text("signature")) {
        (Some(tx_id), Some(events), Some(signature)) => {
            effects.verify(key, tx_id, events, signature)
        }
        _ => false,
    }
}

/// Collects the effects of every guarded change.
pub fn summarize(transaction: &ChangeTransaction) -> SignedEffects<'_> {
    let mut summary = SignedEffects {
        effects: TransactionEffects::new(),
        outbox: Vec::new(),
        unsigned: false,
        replayed: false,
    };
    let mut places: Vec<SignedColumns<'_>> = Vec::new();
    for change in &transaction.changes {
        if change.table.name == "outbox" {
            match (change.op, &change.after) {
                (ChangeOp::Insert, Some(image)) => summary.outbox.push((&change.table, image)),
                // The relay deletes what it published.
                (ChangeOp::Delete, _) => {}
                _ => summary.unsigned = true,
            }
            continue;
        }
        let at = match places
            .iter()
            .position(|p| Arc::ptr_eq(p.table, &change.table))
        {
            Some(at) => at,
            None => {
                places.push(SignedColumns::of(&change.table));
                places.len() - 1
            }
        };
        if let Some(places) = places.get(at)
            && places.signed.is_some()
        {
            summary.unsigned |= add(&mut summary.effects, places, change).is_none();
            summary.replayed |= !raises_version(places, change);
        }
    }
    summary
}

impl<'a> SignedColumns<'a> {
    fn of(table: &'a Arc<TableSchema>) -> Self {
        let signed = SIGNED_TABLES
            .iter()
            .position(|(name, _)| *name == table.name);
        let mut columns = [None; MAX_SIGNED_COLUMNS];
        for (slot, name) in columns
            .iter_mut()
            .zip(signed.map_or(&[][..], |at| SIGNED_TABLES[at].1))
        {
            *slot = table.column(name);
        }
        SignedColumns {
            table,
            signed,
            columns,
        }
    }
}

/// Whether an update of a versioned table has a higher version after it.
fn raises_version(places: &SignedColumns<'_>, change: &RowChange) -> bool {
    let versioned = VERSIONED_TABLES.contains(&places.table.name.as_str());
    let at = if versioned {
        places.columns[VERSION_COLUMN]
    } else {
        None
    };
    let version = |image: &Option<crate::stream::change::RowImage>| match image.as_ref()?.get(at?) {
        Some(ColumnValue::Int(version)) => Some(*version),
        _ => None,
    };
    match (version(&change.before), version(&change.after)) {
        (Some(before), Some(after)) => after > before,
        _ => true,
    }
}

/// Adds one row's after-image; `None` if it can't have been written by the core.
fn add(
    effects: &mut TransactionEffects,
    places: &SignedColumns<'_>,
    change: &RowChange,
) -> Option<()> {
    let image = change.after.as_ref()?;
    let value = |n: usize| places.columns[n].and_then(|at| image.get(at));
    let text = |n: usize| match value(n)? {
        ColumnValue::Text(text) => Some(text.as_bytes()),
        _ => None,
    };
    let number = |n: usize| match value(n)? {
        ColumnValue::Int(number) => Some(i128::from(*number)),
        ColumnValue::Dec(amount) => column_units(*amount),
        _ => None,
    };
    // NULL is signed as empty: what an order has not got yet.
    let word = |n: usize| match value(n) {
        None | Some(ColumnValue::Null) => Some(&b""[..]),
        Some(_) => text(n),
    };
    let sum = |n: usize| match value(n) {
        None | Some(ColumnValue::Null) => Some(0),
        Some(_) => number(n),
    };
    match places.signed? {
        0 => {
            let amounts = [number(3)?, number(4)?, number(5)?, sum(6)?, sum(7)?];
            effects.balance(text(0)?, text(1)?, &amounts, number(VERSION_COLUMN)?);
        }
        1 => effects.entry(
            text(0)?,
            text(1)?,
            number(2)?,
            text(3)?,
            text(4)?,
            number(5)?,
            text(6)?,
        ),
        2 => {
            let words = OrderTextFields {
                kind: word(3)?,
                state: text(4)?,
                to: text(5)?,
                currency: text(7)?,
                channel: word(8)?,
                serial_no: word(9)?,
                trade_time: word(10)?,
            };
            effects.order(
                text(0)?,
                text(1)?,
                &words,
                number(6)?,
                number(VERSION_COLUMN)?,
            );
        }
        3 => effects.attempt(text(0)?, text(1)?, number(2)?, text(3)?, text(4)?),
        _ => {
            let amounts = [number(4)?, number(5)?, number(6)?];
            effects.capture(
                text(0)?,
                text(1)?,
                text(3)?,
                &amounts,
                number(VERSION_COLUMN)?,
            );
        }
    }
    Some(())
}
