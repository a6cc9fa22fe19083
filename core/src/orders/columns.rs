//! Columns of `orders`: one table, from which the SELECT list, the INSERT, the UPDATE and
//! the reading of a row are made. A new column is a line here, a field and its first value
//! in `order`, the migration, and the sidecar's catalogue of tables.

use crate::orders::Order;
use crate::orders::stored::StoredValue;
use mysql_async::Row;
use sluice_contract::sql::SqlLiteral;
use std::sync::LazyLock;

/// Moment at which a column is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnUse {
    /// Part of the primary key: in every row that is written.
    Key,
    /// Written at acceptance, and never again.
    Fixed,
    /// Written at acceptance and by every change.
    Moving,
    /// Has the database's default at acceptance; written by every change.
    Later,
}

/// One column of `orders`.
pub(super) struct OrderColumn {
    name: &'static str,
    usage: ColumnUse,
    /// Makes the literal of an order's value.
    pub(super) literal: fn(&Order) -> SqlLiteral<'_>,
}

macro_rules! order_columns {
    ($($field:ident: $usage:ident,)*) => {
        const ORDER_TABLE: &[OrderColumn] = &[$(
            OrderColumn {
                name: stringify!($field),
                usage: ColumnUse::$usage,
                literal: |order| order.$field.literal(),
            },
        )*];

        /// Reads an order from a row of `select_list`.
        ///
        /// # Errors
        /// A column that is missing or holds what the core never wrote, by name.
        pub fn from_row(row: &Row) -> anyhow::Result<Order> {
            Ok(Order { $($field: StoredValue::read(row, stringify!($field))?,)* })
        }
    };
}

order_columns! {
    account_id: Key,
    order_id: Key,
    kind: Fixed,
    client: Fixed,
    transaction_id: Fixed,
    biz_no: Fixed,
    user_id: Fixed,
    to_account: Fixed,
    bank: Fixed,
    payment_no: Fixed,
    amount: Fixed,
    currency: Fixed,
    state: Moving,
    channel: Moving,
    serial_no: Fixed,
    trade_time: Later,
    route: Later,
    attempts: Moving,
    queries: Later,
    sends: Later,
    notified_version: Later,
    notified_us: Moving,
    notify_count: Later,
    acknowledged_us: Later,
    has_open_case: Later,
    result_code: Later,
    version: Moving,
    due_us: Moving,
    created_us: Fixed,
    updated_us: Moving,
    correlation_id: Fixed,
    traceparent: Fixed,
}

impl OrderColumn {
    fn is_inserted(&self) -> bool {
        match self.usage {
            ColumnUse::Key | ColumnUse::Fixed | ColumnUse::Moving => true,
            ColumnUse::Later => false,
        }
    }

    fn is_updated(&self) -> bool {
        match self.usage {
            ColumnUse::Moving | ColumnUse::Later => true,
            ColumnUse::Key | ColumnUse::Fixed => false,
        }
    }
}

/// Columns of one statement, and their names in its words.
pub(super) struct ColumnList {
    pub(super) columns: Vec<&'static OrderColumn>,
    /// `a,b,c`
    pub(super) names: String,
}

impl ColumnList {
    fn of(is_in: impl Fn(&OrderColumn) -> bool) -> Self {
        let columns: Vec<_> = ORDER_TABLE.iter().filter(|c| is_in(c)).collect();
        let names = columns.iter().map(|c| c.name).collect::<Vec<_>>().join(",");
        ColumnList { columns, names }
    }
}

static SELECTED: LazyLock<ColumnList> = LazyLock::new(|| ColumnList::of(|_| true));

/// Columns that the INSERT of a new order writes.
pub(super) static INSERTED: LazyLock<ColumnList> =
    LazyLock::new(|| ColumnList::of(OrderColumn::is_inserted));

/// Columns that a change of an order writes, its key first.
pub(super) static UPDATED: LazyLock<ColumnList> =
    LazyLock::new(|| ColumnList::of(|c| c.usage == ColumnUse::Key || c.is_updated()));

/// Assignments of a change: `a=VALUES(a),b=VALUES(b)`.
pub(super) static ASSIGNMENTS: LazyLock<String> = LazyLock::new(|| {
    let columns = ORDER_TABLE.iter().filter(|c| c.is_updated());
    let each: Vec<String> = columns
        .map(|c| format!("{0}=VALUES({0})", c.name))
        .collect();
    each.join(",")
});

/// Lists all columns for a SELECT that `from_row` reads.
pub fn select_list() -> &'static str {
    &SELECTED.names
}

#[cfg(test)]
#[path = "columns_tests.rs"]
mod tests;
