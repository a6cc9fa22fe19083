//! Effects of a transaction, as the core signs them.

use crate::rules::transaction::signed_tables::{SignedColumns, VERSION_COLUMN, raises_version};
use crate::stream::change::{ChangeOp, ChangeTransaction, ColumnValue, RowChange, TableSchema};
use sluice_contract::money::column_units;
use sluice_contract::provenance::{OrderTextFields, TransactionEffects};
use std::sync::Arc;

/// The sum of all guarded rows of a transaction.
pub struct SignedEffects<'a> {
    pub effects: TransactionEffects,
    /// Outbox rows inserted: table and image.
    pub outbox: Vec<(&'a TableSchema, &'a [ColumnValue])>,
    /// A guarded row was deleted, an outbox row was rewritten, or a value is none
    /// that the core writes.
    pub unsigned: bool,
    /// A balance or order was changed without raising its version: a genuine
    /// signature played again covers a version that is there already.
    pub replayed: bool,
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
