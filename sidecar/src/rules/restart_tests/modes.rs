//! Restarts around a change of a rule's mode or code: holds, balances and windows.

use crate::rules::Evaluator;
use crate::rules::pair_tests::{PAIR_BODY, PAIR_SIDES, booked};
use crate::rules::restart_tests::written;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::tests::{
    BALANCE_TRIGGER, TestRuleFolder, WINDOW_TRIGGER, at, balance, deposit, payment, rule, run,
    transaction,
};
use crate::stream::change::SourceKind;
use std::sync::Arc;

fn pair(mode: &str) -> Arc<RuleSet> {
    let text = rule("p", &format!("{PAIR_SIDES}require = \"left\""), PAIR_BODY);
    one(&text.replace("mode = \"trip\"", &format!("mode = {mode:?}")))
}

fn one(text: &str) -> Arc<RuleSet> {
    Arc::new(TestRuleFolder::of(&[("p.rhai", text)]).load().unwrap())
}

fn restarted(evaluator: &Evaluator, set: &Arc<RuleSet>) -> Evaluator {
    let mut after = Evaluator::new(Arc::clone(set));
    after.restore(&written(evaluator.freeze())).unwrap();
    after
}

#[test]
fn what_held_money_holds_it_after_a_restart_too() {
    let mut evaluator = Evaluator::new(pair("trip"));
    run(&mut evaluator, &[payment("e1", 1, "A-1", "P-1", "5")]);
    evaluator.swap(pair("alert"));
    run(&mut evaluator, &[payment("e2", 2, "A-2", "P-2", "5")]);
    assert_eq!(evaluator.holds(), ["A-1"]);
    let mut after = restarted(&evaluator, &pair("alert"));
    assert_eq!(after.holds(), ["A-1"]);
    // Once more, and the hold ends with its pair.
    after = restarted(&after, &pair("alert"));
    assert_eq!(after.holds(), ["A-1"]);
    let mut armed = restarted(&after, &pair("trip"));
    assert_eq!(armed.holds(), ["A-1", "A-2"]);
    run(&mut after, &[booked("0-1-1", "P-1", "5")]);
    run(&mut armed, &[booked("0-1-1", "P-1", "5")]);
    assert!(after.holds().is_empty() && after.open_pairs() == 1);
    assert_eq!(armed.holds(), ["A-2"]);
}

#[test]
fn a_mode_that_ends_with_the_restart_leaves_holds_to_their_pairs() {
    let mut evaluator = Evaluator::new(pair("trip"));
    run(&mut evaluator, &[payment("e1", 1, "A-1", "P-1", "5")]);
    let mut after = restarted(&evaluator, &pair("alert"));
    run(&mut after, &[payment("e2", 2, "A-2", "P-2", "5")]);
    assert_eq!(after.holds(), ["A-1"]);
    let mut again = restarted(&after, &pair("alert"));
    assert_eq!(again.holds(), ["A-1"]);
    run(&mut again, &[booked("0-1-1", "P-1", "5")]);
    assert!(again.holds().is_empty());
}

/// Balances stand still while no rule asks for them: none may be taken for the newest later.
#[test]
fn balances_that_nobody_learned_are_not_known() {
    let body = "fn check(row) { let b = balance_of(row.after.account_id, \"CNY\"); \
        violation(\"\", if b == () { \"none\" } else { `${b.balance}` }, \"m\") }";
    let asks = one(&rule("p", BALANCE_TRIGGER, body));
    let plain = one(&rule("p", BALANCE_TRIGGER, "fn check(row) {}"));
    let known = |evaluator: &Evaluator| {
        let mut bytes = Vec::new();
        evaluator.freeze().write(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).contains("A-known")
    };
    let mut evaluator = Evaluator::new(Arc::clone(&asks));
    let row = || transaction("0-1-1", vec![balance("A-known", "5", "5")]);
    run(&mut evaluator, &[row()]);
    assert!(known(&evaluator));
    evaluator.swap(Arc::clone(&plain));
    assert!(!known(&evaluator));
    evaluator.swap(Arc::clone(&asks));
    assert!(!known(&evaluator));
}

#[test]
fn a_window_that_begins_with_a_reload_says_so() {
    let window = |span: &str| {
        let trigger = format!("{}keep = \"amount\"", WINDOW_TRIGGER.replace("1000", span));
        one(&rule("p", &trigger, "fn check(row, earlier) {}"))
    };
    let mut evaluator = Evaluator::new(window("1000"));
    let row = |n: u32| transaction(&format!("0-1-{n}"), vec![deposit("A", "P", "1")]);
    evaluator.swap(window("2000"));
    assert!(
        run(&mut evaluator, &[row(1)]).is_empty(),
        "nothing came before"
    );
    run(&mut evaluator, &[at(SourceKind::Binlog, 1_000)]);
    evaluator.swap(window("2000"));
    assert!(run(&mut evaluator, &[row(2)]).is_empty(), "it goes on");
    evaluator.swap(window("3000"));
    let found = run(&mut evaluator, &[row(3), row(4)]);
    assert!(
        found.len() == 1 && found[0].message.contains("begins here"),
        "{found:?}"
    );
}
