//! Property names that views of rows, events, windows and facts have.

use crate::rules::text::audit_facts::{FACT_KINDS, fact_fields};
use crate::rules::text::tables;
use crate::rules::views::event_view::EVENT_FIELDS;
use crate::stream::change::AuditSubject;
use std::collections::BTreeSet;
use std::sync::OnceLock;

pub const ROW_NAMES: [&str; 5] = ["table", "op", "before", "after", "changed"];
pub const TRANSACTION_NAMES: [&str; 2] = ["provenance", "accounts"];
pub const WINDOW_NAMES: [&str; 4] = ["count", "sum", "distinct", "values"];
/// Names that differences of sums have, and texts, arrays and ranges.
const OTHER_NAMES: [&str; 17] = [
    "key",
    "account",
    "amount",
    "left",
    "right",
    "len",
    "is_empty",
    "bytes",
    "chars",
    "bits",
    "start",
    "end",
    "is_inclusive",
    "is_exclusive",
    "is_odd",
    "is_even",
    "is_zero",
];

/// The names of all properties that something has, sorted.
pub fn all_names() -> &'static [&'static str] {
    static ALL_NAMES: OnceLock<Vec<&'static str>> = OnceLock::new();
    ALL_NAMES.get_or_init(|| {
        let mut all: BTreeSet<&str> = tables::all_columns().into_iter().collect();
        all.extend(FACT_KINDS.into_iter().flat_map(at_rest_names));
        for some in [
            &ROW_NAMES[..],
            &TRANSACTION_NAMES,
            &WINDOW_NAMES,
            &OTHER_NAMES,
            &EVENT_FIELDS,
        ] {
            all.extend(some);
        }
        all.into_iter().collect()
    })
}

/// The names of a fact's fields.
pub fn at_rest_names(of: AuditSubject) -> Vec<&'static str> {
    fact_fields(of).iter().map(|(name, _)| *name).collect()
}
