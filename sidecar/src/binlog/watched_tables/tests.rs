use super::*;
use crate::rules::text::tables::CATALOG_TABLES;
use std::collections::BTreeSet;

/// A table that rules may name and nobody reads would look as if nothing ever happened to it.
#[test]
fn the_watched_tables_are_those_that_rules_may_name() {
    let watched = tables(&Schemas::under("t").unwrap());
    let watched: BTreeSet<&str> = watched.into_iter().map(|(_, name)| name).collect();
    let known: BTreeSet<&str> = CATALOG_TABLES.iter().map(|table| table.name).collect();
    assert_eq!(watched, known);
}
