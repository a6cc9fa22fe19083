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
    columns: &SignedColumns<'_>,
    change: &RowChange,
) -> Option<()> {
    let image = change.after.as_ref()?;
    let row = SignedRow { columns, image };
    let version = |row: &SignedRow<'_>| row.number(VERSION_COLUMN);
    match columns.signed? {
        0 => {
            let moved = [row.number(3)?, row.number(4)?, row.number(5)?];
            let amounts = [moved[0], moved[1], moved[2], row.sum(6)?, row.sum(7)?];
            effects.balance(row.text(0)?, row.text(1)?, &amounts, version(&row)?);
        }
        1 => effects.entry(
            row.text(0)?,
            row.text(1)?,
            row.number(2)?,
            row.text(3)?,
            row.text(4)?,
            row.number(5)?,
            row.text(6)?,
        ),
        2 => {
            let words = OrderTextFields {
                kind: row.word(3)?,
                state: row.text(4)?,
                to: row.text(5)?,
                currency: row.text(7)?,
                channel: row.word(8)?,
                serial_no: row.word(9)?,
                trade_time: row.word(10)?,
            };
            let (account, order) = (row.text(0)?, row.text(1)?);
            effects.order(account, order, &words, row.number(6)?, version(&row)?);
        }
        3 => effects.attempt(
            row.text(0)?,
            row.text(1)?,
            row.number(2)?,
            row.text(3)?,
            row.text(4)?,
        ),
        _ => {
            let amounts = [row.number(4)?, row.number(5)?, row.number(6)?];
            let (account, payment, currency) = (row.text(0)?, row.text(1)?, row.text(3)?);
            let payer = row.word(7)?;
            effects.capture(account, payment, currency, &amounts, version(&row)?, payer);
        }
    }
    Some(())
}

/// The signed values of a row, by their number in the effect.
struct SignedRow<'a> {
    columns: &'a SignedColumns<'a>,
    image: &'a [ColumnValue],
}

impl<'a> SignedRow<'a> {
    fn value(&self, n: usize) -> Option<&'a ColumnValue> {
        self.columns.columns[n].and_then(|at| self.image.get(at))
    }

    fn text(&self, n: usize) -> Option<&'a [u8]> {
        match self.value(n)? {
            ColumnValue::Text(text) => Some(text.as_bytes()),
            _ => None,
        }
    }

    fn number(&self, n: usize) -> Option<i128> {
        match self.value(n)? {
            ColumnValue::Int(number) => Some(i128::from(*number)),
            ColumnValue::Dec(amount) => column_units(*amount),
            _ => None,
        }
    }

    /// A text; NULL is signed as empty: a value that an order has not got yet.
    fn word(&self, n: usize) -> Option<&'a [u8]> {
        match self.value(n) {
            None | Some(ColumnValue::Null) => Some(&b""[..]),
            Some(_) => self.text(n),
        }
    }

    /// A number; NULL is signed as zero.
    fn sum(&self, n: usize) -> Option<i128> {
        match self.value(n) {
            None | Some(ColumnValue::Null) => Some(0),
            Some(_) => self.number(n),
        }
    }
}
