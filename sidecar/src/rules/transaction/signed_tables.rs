//! Signed tables and their columns, found in a binlog's tables.

use crate::stream::change::{ColumnValue, RowChange, RowImage, TableSchema};
use std::sync::Arc;

/// Columns that are signed, for each guarded table, in the order of the effect.
const SIGNED_TABLES: [(&str, &[&str]); 5] = [
    (
        "balance",
        &[
            "account_id",
            "currency",
            "version",
            "balance",
            "available",
            "reserved",
            "intermediate",
            "intermediate_reserved",
        ],
    ),
    (
        "entry",
        &[
            "account_id",
            "posting_id",
            "line",
            "book",
            "side",
            "amount",
            "currency",
        ],
    ),
    (
        "orders",
        &[
            "account_id",
            "order_id",
            "version",
            "kind",
            "state",
            "to_account",
            "amount",
            "currency",
            "channel",
            "serial_no",
            "trade_time",
        ],
    ),
    (
        "attempt",
        &["account_id", "order_id", "attempt_no", "channel", "state"],
    ),
    (
        "capture",
        &[
            "account_id",
            "payment_no",
            "version",
            "currency",
            "captured",
            "refunded",
            "settled",
            "payer",
        ],
    ),
];
/// The widest of them.
const MAX_SIGNED_COLUMNS: usize = 11;
/// The place of the version of versioned tables in `SIGNED_TABLES`.
pub const VERSION_COLUMN: usize = 2;
const VERSIONED_TABLES: [&str; 3] = ["balance", "orders", "capture"];

/// The signed columns of one table of this binlog.
pub struct SignedColumns<'a> {
    pub table: &'a Arc<TableSchema>,
    /// Place in `SIGNED_TABLES`; `None` for a table that isn't guarded.
    pub signed: Option<usize>,
    pub columns: [Option<usize>; MAX_SIGNED_COLUMNS],
}

impl<'a> SignedColumns<'a> {
    /// Finds the signed columns of `table`.
    pub fn of(table: &'a Arc<TableSchema>) -> Self {
        let signed = SIGNED_TABLES
            .iter()
            .position(|(name, _)| *name == table.name);
        let mut columns = [None; MAX_SIGNED_COLUMNS];
        for (place, name) in columns
            .iter_mut()
            .zip(signed.map_or(&[][..], |at| SIGNED_TABLES[at].1))
        {
            *place = table.column(name);
        }
        SignedColumns {
            table,
            signed,
            columns,
        }
    }
}

/// Whether an update of a versioned table has a higher version after it.
pub fn raises_version(places: &SignedColumns<'_>, change: &RowChange) -> bool {
    let versioned = VERSIONED_TABLES.contains(&places.table.name.as_str());
    let at = if versioned {
        places.columns[VERSION_COLUMN]
    } else {
        None
    };
    let version = |image: &Option<RowImage>| match image.as_ref()?.get(at?) {
        Some(ColumnValue::Int(version)) => Some(*version),
        _ => None,
    };
    match (version(&change.before), version(&change.after)) {
        (Some(before), Some(after)) => after > before,
        _ => true,
    }
}
