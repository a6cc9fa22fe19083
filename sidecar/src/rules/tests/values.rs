//! Values that rules are given: changes of a row, balances, and rows that nobody watches.

use crate::rules::tests::{
    BALANCE_TRIGGER, TestRuleFolder, balance, deposit, insert, money, rule, run, text, transaction,
    update,
};
use crate::stream::change::{ColumnValue, RowChange};

#[test]
fn a_row_knows_what_changed() {
    let body = "fn check(row) { violation(\"\", `${row.changed.len}`, `${row.changed(\"available\")} ${row.changed}`) }";
    let mut evaluator =
        TestRuleFolder::of(&[("r.rhai", &rule("r", BALANCE_TRIGGER, body))]).evaluator();
    let changes = vec![
        update(balance("A", "5", "5"), balance("A", "6", "5")),
        balance("A", "1", "1"),
    ];
    let found = run(&mut evaluator, &[transaction("0-1-1", changes)]);
    assert_eq!(
        (found[0].item.as_str(), found[0].message.as_str()),
        ("1", "false [\"balance\"]")
    );
    assert!(
        found[1].item == "9" && found[1].message.starts_with("true"),
        "{found:?}"
    );
}

#[test]
fn the_last_balance_is_known_to_every_rule() {
    let body = "fn check(row) { let b = balance_of(row.after.account_id, row.after.currency); \
        violation(\"\", if b == () { \"unknown\" } else { `${b.available}` }, \"m\") }";
    let on = "on = \"row\"\ntable = \"entry\"\nops = [\"insert\"]";
    let mut evaluator = TestRuleFolder::of(&[("r.rhai", &rule("r", on, body))]).evaluator();
    let versioned = |version: i64, amount: &str| {
        let mut change = balance("A", amount, amount);
        let at = change.table.column("version").unwrap();
        change.after.as_mut().unwrap()[at] = ColumnValue::Int(version);
        change
    };
    let mut said = |changes: Vec<RowChange>, n: u32| {
        let found = run(&mut evaluator, &[transaction(&format!("0-1-{n}"), changes)]);
        found.iter().map(|f| f.item.clone()).collect::<Vec<_>>()
    };
    assert_eq!(said(vec![deposit("A", "P", "1")], 1), ["unknown"]);
    assert_eq!(
        said(vec![deposit("A", "P", "1"), versioned(5, "7")], 2),
        ["7"]
    );
    // A redelivery of something older changes nothing.
    assert_eq!(said(vec![versioned(4, "6")], 3), [""; 0]);
    assert_eq!(
        said(vec![deposit("A", "P", "1"), deposit("B", "P", "1")], 4),
        ["7", "unknown"]
    );
}

#[test]
fn rows_of_tables_that_no_rule_watches_cost_no_call() {
    let other = insert(
        "attempt",
        &[
            ("account_id", text("A")),
            ("attempt_no", ColumnValue::Int(1)),
        ],
    );
    let body = "fn check(tx) { violation(\"\", \"\", \"\") }";
    let text = rule(
        "r",
        "on = \"transaction\"\ntables = [\"entry\", \"balance\"]",
        body,
    );
    let mut evaluator = TestRuleFolder::of(&[("r.rhai", &text)]).evaluator();
    assert!(run(&mut evaluator, &[transaction("0-1-1", vec![other])]).is_empty());
    let both = vec![
        deposit("A", "P", "1"),
        balance("A", "1", "1"),
        insert("balance", &[("balance", money("1"))]),
    ];
    assert_eq!(
        run(&mut evaluator, &[transaction("0-1-2", both)]).len(),
        1,
        "once for a transaction of both"
    );
}
