//! Whether the core wrote a transaction: the effects are computed again from its
//! row images and compared with the signature in its outbox row.

use crate::change::{Change, Op, Table, Transaction, Value};
use sluice_contract::money::column_units;
use sluice_contract::provenance::{Effects, OrderWords};
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
pub struct Summary<'a> {
    pub effects: Effects,
    /// Outbox rows inserted: table and image.
    outbox: Vec<(&'a Table, &'a [Value])>,
    /// A guarded row was deleted, an outbox row was rewritten, or a value is none
    /// that the core writes.
    unsigned: bool,
    /// A balance or order was changed without raising its version: a genuine
    /// signature played again covers a version that is there already.
    replayed: bool,
}

/// Columns that are signed, for each guarded table, in the order of the effect.
const SIGNED: [(&str, &[&str]); 5] = [
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
const MOST_SIGNED: usize = 11;
/// Where versioned tables have their version in `SIGNED`.
const VERSION: usize = 2;
const VERSIONED: [&str; 3] = ["balance", "orders", "capture"];

/// What one guarded table's columns are in this binlog.
struct Places<'a> {
    table: &'a Arc<Table>,
    /// Place in `SIGNED`; `None` for a table that isn't guarded.
    signed: Option<usize>,
    columns: [Option<usize>; MOST_SIGNED],
}

pub fn of(transaction: &Transaction, key: &Secret) -> Provenance {
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

fn is_signed(effects: &Effects, table: &Table, image: &[Value], key: &Secret) -> bool {
    let text = |column: &str| match table.column(column).and_then(|at| image.get(at)) {
        Some(Value::Text(text)) => Some(text.as_bytes()),
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
pub fn summarize(transaction: &Transaction) -> Summary<'_> {
    let mut summary = Summary {
        effects: Effects::new(),
        outbox: Vec::new(),
        unsigned: false,
        replayed: false,
    };
    let mut places: Vec<Places<'_>> = Vec::new();
    for change in &transaction.changes {
        if change.table.name == "outbox" {
            match (change.op, &change.after) {
                (Op::Insert, Some(image)) => summary.outbox.push((&change.table, image)),
                // The relay deletes what it published.
                (Op::Delete, _) => {}
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
                places.push(Places::of(&change.table));
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

impl<'a> Places<'a> {
    fn of(table: &'a Arc<Table>) -> Self {
        let signed = SIGNED.iter().position(|(name, _)| *name == table.name);
        let mut columns = [None; MOST_SIGNED];
        for (slot, name) in columns
            .iter_mut()
            .zip(signed.map_or(&[][..], |at| SIGNED[at].1))
        {
            *slot = table.column(name);
        }
        Places {
            table,
            signed,
            columns,
        }
    }
}

/// Whether an update of a versioned table has a higher version after it.
fn raises_version(places: &Places<'_>, change: &Change) -> bool {
    let versioned = VERSIONED.contains(&places.table.name.as_str());
    let at = if versioned {
        places.columns[VERSION]
    } else {
        None
    };
    let version = |image: &Option<crate::change::Image>| match image.as_ref()?.get(at?) {
        Some(Value::Int(version)) => Some(*version),
        _ => None,
    };
    match (version(&change.before), version(&change.after)) {
        (Some(before), Some(after)) => after > before,
        _ => true,
    }
}

/// Adds one row's after-image; `None` if it can't have been written by the core.
fn add(effects: &mut Effects, places: &Places<'_>, change: &Change) -> Option<()> {
    let image = change.after.as_ref()?;
    let value = |n: usize| places.columns[n].and_then(|at| image.get(at));
    let text = |n: usize| match value(n)? {
        Value::Text(text) => Some(text.as_bytes()),
        _ => None,
    };
    let number = |n: usize| match value(n)? {
        Value::Int(number) => Some(i128::from(*number)),
        Value::Dec(amount) => column_units(*amount),
        _ => None,
    };
    // NULL is signed as empty: what an order has not got yet.
    let word = |n: usize| match value(n) {
        None | Some(Value::Null) => Some(&b""[..]),
        Some(_) => text(n),
    };
    let sum = |n: usize| match value(n) {
        None | Some(Value::Null) => Some(0),
        Some(_) => number(n),
    };
    match places.signed? {
        0 => {
            let amounts = [number(3)?, number(4)?, number(5)?, sum(6)?, sum(7)?];
            effects.balance(text(0)?, text(1)?, &amounts, number(VERSION)?);
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
            let words = OrderWords {
                kind: word(3)?,
                state: text(4)?,
                to: text(5)?,
                currency: text(7)?,
                channel: word(8)?,
                serial_no: word(9)?,
                trade_time: word(10)?,
            };
            effects.order(text(0)?, text(1)?, &words, number(6)?, number(VERSION)?);
        }
        3 => effects.attempt(text(0)?, text(1)?, number(2)?, text(3)?, text(4)?),
        _ => {
            let amounts = [number(4)?, number(5)?, number(6)?];
            effects.capture(text(0)?, text(1)?, text(3)?, &amounts, number(VERSION)?);
        }
    }
    Some(())
}
