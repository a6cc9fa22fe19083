//! Names in a rule: a misspelt one is refused with its line and the nearest.

use crate::rules::pair_tests::DELAYED_PAIR;
use crate::rules::tests::{BALANCE_TRIGGER, TestRuleFolder, WINDOW_TRIGGER, rule};

const TRANSACTION: &str = "on = \"transaction\"\ntables = [\"entry\"]";

/// Trigger, body and part of the error, of rules over rows.
const ROWS: &[(&str, &str, &str)] = &[
    (
        BALANCE_TRIGGER,
        "fn check(row) {\n  row.after.balanse }",
        "balance has no column `balanse`: is it `balance`?",
    ),
    (
        BALANCE_TRIGGER,
        "fn check(row) { `${row.after.order_id}` }",
        "balance has no column `order_id`",
    ),
    (
        BALANCE_TRIGGER,
        "fn check(r) { let now = r.after;\n now.acount_id }",
        "no column `acount_id`: is it `account_id`?",
    ),
    (
        BALANCE_TRIGGER,
        "fn check(row) { row.aftr }",
        "a row has no `aftr`: is it `after`?",
    ),
    (
        BALANCE_TRIGGER,
        "fn check(row) { row.changed(\"blance\") }",
        "no column `blance`",
    ),
    (
        BALANCE_TRIGGER,
        "fn check(row) { f(row.after) } fn f(x) { x.acount_id }",
        "nothing has a column, field or property",
    ),
    (
        BALANCE_TRIGGER,
        "fn param(x) {} fn check(row) {}",
        "given already",
    ),
];

const TRANSACTIONS: &[(&str, &str, &str)] = &[
    (
        TRANSACTION,
        "fn check(tx) { tx.rows(\"entri\") }",
        "\"entri\" is not a watched table: is it `entry`?",
    ),
    (
        TRANSACTION,
        "fn check(tx) { tx.row(\"entry\") }",
        "a transaction has no `row(…)`: is it `rows`?",
    ),
    (
        TRANSACTION,
        "fn check(tx) { for e in tx.rows(\"entry\") { e.after.reff } }",
        "entry has no column `reff`",
    ),
    (
        TRANSACTION,
        "fn check(tx) { tx.net(\"entry\", [\"reff\"], #{}) }",
        "entry has no column `reff`",
    ),
    (
        TRANSACTION,
        "fn check(tx) { tx.net(\"entry\", [\"ref\"], #{ boook: 1 }) }",
        "entry has no column `boook`",
    ),
    (
        TRANSACTION,
        "fn check(tx) { tx.moves(\"balance\", [\"currency\"], \"version\") }",
        "is not an amount",
    ),
    (
        TRANSACTION,
        "fn check(tx) { tx.net(\"entry\", [\"ref\"], #{}).nonzero()[0].acount }",
        "is it `account`?",
    ),
];

const PAIRS: &[(&str, &str, &str)] = &[
    (
        DELAYED_PAIR,
        "fn check(event, entry) { event.ref } fn missing(e) {}",
        "an event has no `ref`",
    ),
    (
        DELAYED_PAIR,
        "fn check(event, entry) { entry.biz_no } fn missing(e) {}",
        "entry has no column `biz_no`",
    ),
    (
        DELAYED_PAIR,
        "fn check(event, entry) {} fn missing(e) { e.amout }",
        "an event has no `amout`: is it `amount`?",
    ),
];

#[test]
fn misspelt_names_are_refused_with_line_and_nearest() {
    let window = format!("{WINDOW_TRIGGER}keep = \"amount\"");
    let windows: &[(&str, &str, &str)] = &[(
        &window,
        "fn check(row, earlier) { earlier.len }",
        "a window has no `len`",
    )];
    for (trigger, body, part) in [ROWS, TRANSACTIONS, PAIRS, windows].concat() {
        let text = rule("r", trigger, body);
        let errors = TestRuleFolder::of(&[("r.rhai", &text)])
            .load()
            .unwrap_err()
            .to_string();
        assert!(
            errors.starts_with("r.rhai: ") && errors.contains(part),
            "{part} in {errors}"
        );
    }
    // What is the rule's own, or of another kind by then, is not mistaken for an error.
    for body in [
        "fn check(row) { let m = #{ mine: 1 }; m.other = 2; m.mine + m.other }",
        "fn check(row) { let row = #{ mine: row }; row.mine }",
        "fn check(row) { [1].map(|row| #{ deep: row }).map(|x| x.deep) }",
        "fn check(row) { \"row.after.nothing\" /* row.nothing */ } // row.nothing",
        "fn check(row) { let now = row.after; now = #{ other: 1 }; now.other }",
    ] {
        TestRuleFolder::of(&[("r.rhai", &rule("r", BALANCE_TRIGGER, body))])
            .load()
            .unwrap();
    }
}
