//! Identity of a difference at rest.
//!
//! A difference at rest has no position of its own, and a
//! standing difference is one verdict, not one per run. So `finding_id` is derived
//! from rule, mode, account and item (the item says what is wrong and by how much; a
//! rule that is promoted says it again, since now it stops something). While its row
//! is there, nothing is said. The verdict's id is derived from it and the position at
//! which it was first seen: once a complete run did not find it any more the row
//! goes, and the same fault a month later is a new verdict.

use crate::rules::runtime::finding::Finding;
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// A finding under the id that it stands with.
pub type StandingFinding = (String, Finding);

/// Hex of 16 bytes over the parts, each with its length.
fn derive(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..16])
}

/// Derives the id under which a difference stands.
fn finding_id(finding: &Finding) -> String {
    // The finding's own id is of rule, function, account and item: its position is
    // the same for all that snapshot rules say.
    derive(&[&finding.verdict_id, finding.rule.mode.as_str()])
}

/// Gives each finding its ids, each once: that under which it stands, and its verdict's,
/// derived from the position at which it was seen. Returns the standing ids beside them.
pub fn identify(found: &[(Finding, String)]) -> (HashSet<String>, Vec<StandingFinding>) {
    let mut seen = HashSet::new();
    let mut identified = Vec::new();
    for (finding, position) in found {
        let id = finding_id(finding);
        if !seen.insert(id.clone()) {
            continue;
        }
        let finding = Finding {
            verdict_id: derive(&[&id, position]),
            before: None,
            position: position.as_str().into(),
            ..finding.clone()
        };
        identified.push((id, finding));
    }
    (seen, identified)
}
