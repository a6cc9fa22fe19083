use super::*;
use crate::orders::sample;
use sluice_contract::order::OrderKind;

const MIGRATION: &str = concat!(
    include_str!("../../../migrations/orders/V1__orders.sql"),
    include_str!("../../../migrations/orders/V40__order_correlation.sql"),
    include_str!("../../../migrations/orders/V41__order_traceparent.sql"),
);
/// In the table, and nobody's any more.
const UNUSED_COLUMN: &str = "claim_id";

/// Columns of the migration: first words of the lines in its parentheses.
fn migrated() -> Vec<&'static str> {
    let lines = MIGRATION.lines().filter(|line| line.starts_with("  "));
    lines
        .filter_map(|line| {
            let column = line.trim_start();
            let column = column.strip_prefix("ADD COLUMN ").unwrap_or(column);
            column.split_whitespace().next()
        })
        .filter(|word| *word != "--" && word.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .collect()
}

#[test]
fn the_table_has_the_columns_of_the_migration() {
    let (mut known, mut there) = (
        ORDER_TABLE.iter().map(|c| c.name).collect::<Vec<_>>(),
        migrated(),
    );
    known.push(UNUSED_COLUMN);
    known.sort_unstable();
    there.sort_unstable();
    assert_eq!(known, there);
}

#[test]
fn keys_are_written_and_never_assigned() {
    assert!(INSERTED.names.starts_with("account_id,order_id,kind,"));
    assert!(UPDATED.names.starts_with("account_id,order_id,state,"));
    assert!(ASSIGNMENTS.starts_with("state=VALUES(state),channel=VALUES(channel),"));
    assert!(!ASSIGNMENTS.contains("order_id") && !ASSIGNMENTS.contains("created_us"));
}

#[test]
fn a_new_order_takes_the_defaults_of_what_is_written_later() {
    let order = sample(OrderKind::CashOut);
    let blank = Order::blank("A", "o", OrderKind::Refund, order.amount, order.currency);
    for column in ORDER_TABLE.iter().filter(|c| c.usage == ColumnUse::Later) {
        let literal = format!("{:?}", (column.literal)(&blank));
        let default = match column.name {
            "notified_version" => "Int(1)",
            "queries" | "sends" | "notify_count" | "has_open_case" => "Int(0)",
            _ => "Null",
        };
        assert_eq!(literal, default, "{}", column.name);
    }
}
