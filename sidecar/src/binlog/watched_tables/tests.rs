use super::*;
use crate::rules::text::tables::CATALOG_TABLES;
use sluice_contract::provenance::SIGNED_GUARD_TABLES;
use std::collections::BTreeSet;

/// A table that rules may name and nobody reads would look as if nothing ever happened to it;
/// so would a signed one whose rows anybody may write.
#[test]
fn the_watched_tables_are_those_that_rules_may_name_and_those_that_are_signed() {
    let watched = tables(&Schemas::under("t").unwrap());
    let watched: BTreeSet<&str> = watched.into_iter().map(|(_, name)| name).collect();
    let rules = CATALOG_TABLES.iter().map(|table| table.name);
    let signed = SIGNED_GUARD_TABLES.iter().map(|table| table.name);
    // Of these it matters that no row goes.
    let kept = ["idempotency", "booking_intent"];
    let known: BTreeSet<&str> = rules.chain(signed).chain(kept).collect();
    assert_eq!(watched, known);
}
