//! Report of what an audit of ledger entries needs, before it accuses anybody: since when each
//! must have a seal, and whether this sidecar has the keys of those that are there.

use crate::audit::audit_context::AuditContext;
use crate::audit::read::{AuditReader, EntryKeys};

/// Looks, and tells by log, metrics and `/status`.
///
/// # Errors
/// The ledger's server did not answer.
pub(super) async fn report(
    context: &AuditContext,
    reader: &mut AuditReader,
) -> anyhow::Result<EntryKeys> {
    let keys = reader.entry_keys().await?;
    let from_us = reader.entries_from_us();
    let (unknown, left_out) = match &keys {
        EntryKeys::NoSeals => {
            let why = "ledger.entry has no column mac yet: entries are not audited until the cores' migration has run";
            tracing::warn!("{why}");
            (Vec::new(), Some(why))
        }
        EntryKeys::Unknown(unknown) => (unknown.clone(), None),
    };
    if !unknown.is_empty() {
        tracing::error!(
            ?unknown,
            "ledger entries are sealed with keys that this sidecar does not have: every account that has such will be \
             stopped; is a key missing in provenance_keys_retired?"
        );
    }
    if from_us.is_none() && left_out.is_none() {
        tracing::warn!(
            "ledger entries need no seal yet: once no core of before the seals runs, say `sluice guard seal --entries`"
        );
    }
    let shown = &context.health.metrics.audit;
    shown
        .unknown_seal_keys
        .set(i64::try_from(unknown.len()).unwrap_or(i64::MAX));
    shown.entries_unsealed.set(i64::from(from_us.is_none()));
    context.handle.update(|note| {
        note.entries_from_us = from_us;
        note.unknown_seal_keys = unknown;
        note.left_out = left_out;
    });
    Ok(keys)
}

/// Takes back what was reported when the leadership ends: whoever leads next looks for itself.
pub(super) struct ReportOfLeadership<'a>(pub(super) &'a AuditContext);

impl Drop for ReportOfLeadership<'_> {
    fn drop(&mut self) {
        let shown = &self.0.health.metrics.audit;
        shown.unknown_seal_keys.set(0);
        shown.entries_unsealed.set(0);
        self.0.handle.update(|note| {
            note.entries_from_us = None;
            note.unknown_seal_keys.clear();
            note.left_out = None;
        });
    }
}
