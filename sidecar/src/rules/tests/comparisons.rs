//! Comparisons in rules: like things are compared, unlike things make the call undetermined
//! and say why. Silence would be a rule that never fires.

use crate::rules::runtime::finding::FindingOutcome;
use crate::rules::tests::{
    BALANCE_TRIGGER, TestRuleFolder, WINDOW_TRIGGER, balance, deposit, rule, run, transaction,
};

/// Evaluates the expression for one balance row of 2.00 with 1.00 available, whose
/// intermediate is NULL. `Err` holds what an undetermined finding says.
fn ask(expression: &str) -> Result<String, String> {
    let body = format!(
        "fn check(row) {{ let empty = row.after.intermediate; let dec = row.after.available;
          let answer = {expression}; violation(\"\", `${{answer}}`, \"\") }}"
    );
    let folder = TestRuleFolder::of(&[("r.rhai", &rule("r", BALANCE_TRIGGER, &body))]);
    let mut evaluator = folder.evaluator();
    let found = run(
        &mut evaluator,
        &[transaction("0-1-1", vec![balance("A-1", "2", "1")])],
    );
    assert_eq!(found.len(), 1, "{expression}: {found:?}");
    match found[0].outcome {
        FindingOutcome::Undetermined => {
            assert_eq!(evaluator.errors().len(), 1, "{expression}");
            Err(found[0].message.clone())
        }
        _ => Ok(found[0].item.clone()),
    }
}

const OPERATORS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

#[test]
fn unlike_things_dont_compare_whatever_the_operator() {
    let kinds: [(&str, &[&str]); 6] = [
        ("a number", &["dec", "1"]),
        ("a text", &["\"1\"", "'1'"]),
        ("true or false", &["true"]),
        ("NULL", &["empty"]),
        ("an array", &["[1]"]),
        ("a map", &["#{ a: 1 }"]),
    ];
    for (left, lefts) in kinds {
        for (right, rights) in kinds.iter().filter(|(right, _)| *right != left) {
            for (at, operator) in OPERATORS.iter().enumerate() {
                let (a, b) = (lefts[at % lefts.len()], rights[at / 2 % rights.len()]);
                let said = ask(&format!("!({a} {operator} {b})")).unwrap_err();
                let cause = format!("can't compare {left} with {right}");
                assert!(said.contains(&cause), "{a} {operator} {b}: {said}");
            }
        }
    }
}

#[test]
fn like_things_compare_by_table() {
    let cases = [
        ("dec == 1 && 1 == dec && dec <= 1 && 1 >= dec", "true"),
        ("dec < 0 || 2 < dec || 1 != 1", "false"),
        ("1 + 1 < 3 == true && 2 * 2 > 3", "true"),
        ("\"a\" < \"b\" && 'a' == \"a\" && \"a\" <= 'a'", "true"),
        ("true != false && false < true", "true"),
        ("empty == () && () == empty && empty == empty", "true"),
        ("empty != () || () != empty", "false"),
        ("dec == () || () == dec", "false"),
        ("dec != () && () != dec", "true"),
        ("[1, \"a\"] == [1, \"a\"] && [1] != [1, 2]", "true"),
        ("#{ a: 1 } == #{ a: 1 } && #{ a: 1 } != #{ b: 1 }", "true"),
        ("dec in [3, 1] && !(5 in [1])", "true"),
        ("[1, 2].index_of(2) == 1 && [1, 2].contains(dec)", "true"),
        ("switch \"a\" { \"a\" | 'b' => 1, _ => 2 }", "1"),
        ("switch empty { 5 => 1, () => 3, _ => 2 }", "3"),
        ("switch 4 { 1..5 => 1, _ => 2 }", "1"),
    ];
    for (expression, want) in cases {
        assert_eq!(ask(expression).as_deref(), Ok(want), "{expression}");
    }
}

#[test]
fn unlike_things_hidden_in_others_dont_compare() {
    for expression in [
        "\"1\" in [1, 2]",
        "[1, 2].contains(empty)",
        "[1, 2].index_of(\"2\")",
        "[1, [\"a\"]] == [1, [2]]",
        "[1] == [\"a\", 2]",
        "#{ a: 1 } == #{ a: \"1\" }",
        "switch \"1\" { 1 => 1, _ => 2 }",
        "switch empty { 5 => 1, _ => 2 }",
        "switch dec { \"1\" => 1, _ => 2 }",
        "[3, \"a\"].filter(|x| x > 2).len()",
        "empty < empty",
        "[1] < [2]",
        "row.after == row.after",
    ] {
        assert!(ask(expression).is_err(), "{expression}");
    }
}

/// Messages of a rule on entries about two deposits of 5 to A.
fn said_of_entry(trigger: &str, body: &str) -> String {
    let folder = TestRuleFolder::of(&[("r.rhai", &rule("r", trigger, body))]);
    let rows = vec![deposit("A", "P-1", "5"), deposit("A", "P-2", "5")];
    let found = run(&mut folder.evaluator(), &[transaction("0-1-1", rows)]);
    found.iter().map(|f| f.message.as_str()).collect()
}

#[test]
fn sums_and_windows_refuse_what_can_never_be_equal() {
    let on = "on = \"transaction\"\ntables = [\"entry\"]";
    let net = |only: &str| {
        let body = format!(
            "fn check(tx) {{ for n in tx.net(\"entry\", [\"account_id\"], #{{ {only} }}).nonzero() {{ violation(\"\", \"\", `${{n.amount}}`) }} }}"
        );
        said_of_entry(on, &body)
    };
    assert_eq!(net("amount: 7"), "");
    assert!(net("book: 5").contains("book holds a text"));
    assert!(net("amount: \"5\"").contains("amount holds a number"));
    let window = format!("{WINDOW_TRIGGER}keep = \"amount\"");
    let seen = |value: &str| {
        let body = format!(
            "fn check(row, earlier) {{ violation(\"\", \"\", `${{earlier.seen({value})}}`) }}"
        );
        said_of_entry(&window, &body)
    };
    assert_eq!((seen("5"), seen("6")), ("true".into(), "false".into()));
    assert_eq!(seen("row.after.amount"), "true");
    assert!(seen("\"5\"").contains("can't be compared with a text"));
}

#[test]
fn a_filter_of_another_kind_is_refused_when_it_is_loaded() {
    for only in ["kind = 5", "amount = \"5\"", "amount = 5"] {
        let trigger =
            format!("on = \"row\"\ntable = \"entry\"\nops = [\"insert\"]\nwhere = {{ {only} }}");
        let folder = TestRuleFolder::of(&[("r.rhai", &rule("r", &trigger, "fn check(row) {}"))]);
        let refused = folder.load().unwrap_err().to_string();
        assert!(refused.contains("of another kind"), "{refused}");
    }
}
