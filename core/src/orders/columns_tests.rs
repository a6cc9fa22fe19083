use super::*;
use crate::orders::sample;
use sluice_contract::order::OrderKind;

/// In the table, and nobody's any more.
const UNUSED_COLUMN: &str = "claim_id";

/// Columns of the migrations: first words of the lines in the parentheses of the table, and
/// what was added to it since.
fn migrated() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/orders");
    let files = std::fs::read_dir(folder).unwrap();
    let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    texts.flat_map(|text| columns_of(&text)).collect()
}

fn columns_of(migration: &str) -> Vec<String> {
    let lines = || migration.lines().filter(|line| line.starts_with("  "));
    let is_name = |word: &str| word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    if migration.contains("CREATE TABLE orders (") {
        lines().filter_map(first).filter(|w| is_name(w)).collect()
    } else if migration.contains("ALTER TABLE orders") {
        let added = migration.split("ADD COLUMN ").skip(1);
        added.filter_map(first).collect()
    } else {
        Vec::new()
    }
}

#[test]
fn the_table_has_the_columns_of_the_migration() {
    let names = ORDER_TABLE.iter().map(|c| c.name);
    let (mut known, mut there) = (names.collect::<Vec<_>>(), migrated());
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
