//! Provenance tells whether the core wrote a transaction: the effects are computed again from its
//! row images and compared with the signature in its outbox row.

use crate::rules::transaction::signed_effects::summarize;
use crate::stream::change::{ChangeTransaction, ColumnValue, TableSchema};
use sluice_contract::keys::SigningKeys;
use sluice_contract::provenance::TransactionEffects;
use sluice_contract::string_enum;

string_enum! {
    /// The author of a transaction, by its signature.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Provenance("provenance") {
        /// Signed by the core, or nothing guarded was touched.
        Valid = "valid",
        /// Guarded rows changed without any outbox row.
        Missing = "missing",
        /// The signature covers something else, or a guarded row was deleted.
        Invalid = "invalid",
    }
}

/// Judges a transaction with the keys by which the core may sign.
pub fn of(transaction: &ChangeTransaction, keys: &SigningKeys) -> Provenance {
    let summary = summarize(transaction);
    match summary.outbox.as_slice() {
        _ if summary.unsigned => Provenance::Invalid,
        [] if summary.effects.is_empty() => Provenance::Valid,
        [] => Provenance::Missing,
        _ if summary.replayed => Provenance::Invalid,
        [(table, image)] if is_signed(&summary.effects, table, image, keys) => Provenance::Valid,
        _ => Provenance::Invalid,
    }
}

fn is_signed(
    effects: &TransactionEffects,
    table: &TableSchema,
    image: &[ColumnValue],
    keys: &SigningKeys,
) -> bool {
    let text = |column: &str| match table.column(column).and_then(|at| image.get(at)) {
        Some(ColumnValue::Text(text)) => Some(text.as_bytes()),
        _ => None,
    };
    match (text("tx_id"), text("events"), text("signature")) {
        (Some(tx_id), Some(events), Some(signature)) => {
            keys.any(|key| effects.verify(key, tx_id, events, signature))
        }
        _ => false,
    }
}
