//! Effects of a transaction, as the core signs them.

use crate::rules::transaction::signed_tables::{SignedColumns, raises_version};
use crate::stream::change::{ChangeOp, ChangeTransaction, ColumnValue, RowChange, TableSchema};
use sluice_contract::money::column_units;
use sluice_contract::provenance::{
    EffectColumnKind, EffectField, MAX_EFFECT_COLUMNS, TransactionEffects,
};
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
    let table = places.signed?;
    let mut fields = [EffectField::Int(0); MAX_EFFECT_COLUMNS];
    for (field, (column, place)) in fields
        .iter_mut()
        .zip(table.columns.iter().zip(&places.columns))
    {
        *field = signed_value(column.kind, place.and_then(|at| image.get(at)))?;
    }
    effects.add_row(table, fields.get(..table.columns.len())?);
    Some(())
}

/// A value as it is signed; `None` if the core writes no such value there.
fn signed_value(kind: EffectColumnKind, value: Option<&ColumnValue>) -> Option<EffectField<'_>> {
    let is_null = matches!(value, None | Some(ColumnValue::Null));
    match (kind, value) {
        (EffectColumnKind::OptionalText | EffectColumnKind::TextIfKnown, _) if is_null => {
            Some(EffectField::Text(b""))
        }
        (EffectColumnKind::OptionalNumber, _) if is_null => Some(EffectField::Int(0)),
        (
            EffectColumnKind::Text | EffectColumnKind::OptionalText | EffectColumnKind::TextIfKnown,
            Some(ColumnValue::Text(text)),
        ) => Some(EffectField::Text(text.as_bytes())),
        (
            EffectColumnKind::Number | EffectColumnKind::OptionalNumber,
            Some(ColumnValue::Int(number)),
        ) => Some(EffectField::Int(i128::from(*number))),
        (
            EffectColumnKind::Number | EffectColumnKind::OptionalNumber,
            Some(ColumnValue::Dec(amount)),
        ) => column_units(*amount).map(EffectField::Int),
        _ => None,
    }
}
