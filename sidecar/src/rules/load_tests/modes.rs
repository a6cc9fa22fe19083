//! Modes: how far the word of a rule goes.

use crate::rules::RuleMode;
use crate::rules::tests::{BALANCE_TRIGGER, TestRuleFolder, balance, rule, run, transaction};

#[test]
fn modes_decide_what_a_finding_does() {
    let body = "fn check(row) { violation(row.after.account_id, \"i\", \"m\") }";
    for (mode, finds, trips) in [
        ("draft", false, false),
        ("shadow", true, false),
        ("alert", true, false),
        ("trip", true, true),
    ] {
        let text = rule("r", BALANCE_TRIGGER, body)
            .replace("mode = \"trip\"", &format!("mode = {mode:?}"));
        let mut evaluator = TestRuleFolder::of(&[("r.rhai", &text)]).evaluator();
        let found = run(
            &mut evaluator,
            &[transaction("0-1-1", vec![balance("A-1", "1", "1")])],
        );
        assert_eq!(found.len(), usize::from(finds), "{mode}");
        assert!(
            found
                .iter()
                .all(|f| f.breakers.is_empty() != trips && f.rule.mode.as_str() == mode)
        );
    }
    assert!(RuleMode::Draft < RuleMode::Trip);
}

#[test]
fn an_unknown_account_trips_the_whole_point() {
    let text = rule(
        "r",
        BALANCE_TRIGGER,
        "fn check(row) { violation(\"\", \"i\", \"m\") }",
    );
    let found = run(
        &mut TestRuleFolder::of(&[("r.rhai", &text)]).evaluator(),
        &[transaction("0-1-1", vec![balance("A-1", "1", "1")])],
    );
    assert_eq!(found[0].breakers[0].to_string(), "cash_out/all/*");
}
