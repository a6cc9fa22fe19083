//! Columns of `orders`: one table, from which the SELECT list, the INSERT, the UPDATE and
//! the reading of a row are made. A new column is a line here, a field and its first value
//! in `order`, the migration, and the sidecar's catalogue of tables.

use crate::orders::Order;
use crate::orders::seal::RowSeals;
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
    /// The seal of what was asked, made when the order is accepted.
    RequestSeal,
    /// The seal of how it is sent and how far it is, made anew by every change.
    SendSeal,
}

/// One column of `orders`.
pub(super) struct OrderColumn {
    name: &'static str,
    usage: ColumnUse,
    /// Makes the literal of an order's value.
    literal: fn(&Order) -> SqlLiteral<'_>,
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
    identity: Moving,
    key_scope: Fixed,
    predecessor_id: Fixed,
    request_mac: RequestSeal,
    send_mac: SendSeal,
    waiting_since_us: Later,
    send_by_us: Later,
    last_pending_us: Later,
    send_refusal: Later,
    accepted_us: Later,
    correlation_id: Fixed,
    traceparent: Fixed,
    send_by_sending: Later,
}

impl OrderColumn {
    fn is_inserted(&self) -> bool {
        match self.usage {
            ColumnUse::Key
            | ColumnUse::Fixed
            | ColumnUse::Moving
            | ColumnUse::RequestSeal
            | ColumnUse::SendSeal => true,
            ColumnUse::Later => false,
        }
    }

    fn is_updated(&self) -> bool {
        match self.usage {
            ColumnUse::Moving | ColumnUse::Later | ColumnUse::SendSeal => true,
            ColumnUse::Key | ColumnUse::Fixed | ColumnUse::RequestSeal => false,
        }
    }

    /// The value to be written; seals come from `seals`, never from the order as it was read.
    pub(super) fn value<'a>(&self, order: &'a Order, seals: &'a RowSeals) -> SqlLiteral<'a> {
        match self.usage {
            ColumnUse::Key | ColumnUse::Fixed | ColumnUse::Moving | ColumnUse::Later => {
                (self.literal)(order)
            }
            ColumnUse::RequestSeal => seals.request.as_deref().into(),
            ColumnUse::SendSeal => seals.sending.as_deref().into(),
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
