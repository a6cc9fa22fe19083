//! Provenance tells whether the core wrote a transaction: the effects are computed again from its
//! row images and compared with the signature in its outbox row.

use crate::rules::transaction::signed_effects::summarize;
use crate::stream::change::{ChangeTransaction, ColumnValue, TableSchema};
use sluice_contract::provenance::{
    TransactionEffects, TransactionSignatureError, TransactionSignatures, TransactionVerifier,
};
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
        /// Signed with a key, or in a way, that is not accepted here: nobody's word.
        UnknownKey = "unknown_key",
    }
}

/// Judges a transaction with the keys by which the core may sign.
pub fn of(transaction: &ChangeTransaction, keys: &TransactionVerifier) -> Provenance {
    let summary = summarize(transaction);
    match summary.outbox.as_slice() {
        _ if summary.unsigned => Provenance::Invalid,
        [] if summary.effects.is_empty() => Provenance::Valid,
        [] => Provenance::Missing,
        _ if summary.replayed => Provenance::Invalid,
        [(table, image)] => judged(&summary.effects, table, image, keys),
        _ => Provenance::Invalid,
    }
}

fn judged(
    effects: &TransactionEffects,
    table: &TableSchema,
    image: &[ColumnValue],
    keys: &TransactionVerifier,
) -> Provenance {
    let text = |column: &str| match table.column(column).and_then(|at| image.get(at)) {
        Some(ColumnValue::Text(text)) => Some(text.as_bytes()),
        _ => None,
    };
    let (Some(tx_id), Some(events), Some(signature)) =
        (text("tx_id"), text("events"), text("signature"))
    else {
        return Provenance::Invalid;
    };
    let signatures = TransactionSignatures {
        signature,
        // A binlog of before the column has none.
        proof: text("proof").unwrap_or_default(),
    };
    match keys.check(effects, tx_id, events, signatures) {
        Ok(()) => Provenance::Valid,
        Err(TransactionSignatureError::UnknownKey(_) | TransactionSignatureError::MacAlone) => {
            Provenance::UnknownKey
        }
        Err(TransactionSignatureError::Mismatch) => Provenance::Invalid,
    }
}
