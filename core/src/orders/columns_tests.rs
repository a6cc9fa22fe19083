use super::*;
use crate::orders::sample;
use sluice_contract::order::OrderKind;

const MIGRATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/orders");
const ADD_COLUMN: &str = "ALTER TABLE orders ADD COLUMN ";
/// In the table, and nobody's any more.
const UNUSED_COLUMN: &str = "claim_id";

/// Columns of the migrations: first words of the lines in the parentheses of the first, and
/// what later ones add.
fn migrated() -> Vec<String> {
    let is_name = |word: &str| word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let mut names = Vec::new();
    for file in std::fs::read_dir(MIGRATIONS).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let is_first = path.ends_with("V1__orders.sql");
        for line in text.lines() {
            let column = if is_first {
                line.strip_prefix("  ")
            } else {
                line.strip_prefix(ADD_COLUMN)
            };
            let word = column.and_then(|rest| rest.split_whitespace().next());
            names.extend(word.filter(|w| is_name(w)).map(str::to_owned));
        }
    }
    names
}

#[test]
fn the_table_has_the_columns_of_the_migration() {
    let (mut known, mut there) = (
        ORDER_TABLE
            .iter()
            .map(|c| c.name.to_owned())
            .collect::<Vec<_>>(),
        migrated(),
    );
    known.push(UNUSED_COLUMN.to_owned());
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
