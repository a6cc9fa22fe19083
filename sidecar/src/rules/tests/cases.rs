//! Cases of the shipped rules, and cases files that are wrong.

use crate::rules::tests::{BALANCE_TRIGGER, TestRuleFolder, rule, shipped};
use crate::rules::{RuleFiles, run_cases, run_cases_of};

#[test]
fn every_shipped_case_passes() {
    let results = run_cases(&shipped()).unwrap();
    let failed: Vec<_> = results.iter().filter(|r| !r.passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(results.len() >= 20, "{} cases", results.len());
}

#[test]
fn a_rule_that_is_hardly_tried_fails() {
    let lonely = rule("lonely", BALANCE_TRIGGER, "fn check(row) {}");
    let one = "[[case]]\nname = \"one\"\nstep = []\n[[case.expect]]\naccount = \"A\"";
    let results =
        run_cases(&TestRuleFolder::of(&[("lonely.rhai", &lonely), ("lonely.cases.toml", one)]).0)
            .unwrap();
    let failed: Vec<_> = results
        .iter()
        .map(|r| (r.case.as_str(), r.passed, r.detail.as_str()))
        .collect();
    assert_eq!(failed.len(), 2);
    assert!(
        failed[0].2.contains("did not come") && failed[1].2.contains("has 1 cases"),
        "{failed:?}"
    );
}

#[test]
fn a_cases_file_without_rule_or_with_a_wrong_step_is_named() {
    let good = rule("good", BALANCE_TRIGGER, "fn check(row) {}");
    let orphan = TestRuleFolder::of(&[("good.rhai", &good), ("gone.cases.toml", "case = []")]);
    assert!(
        run_cases(&orphan.0)
            .unwrap_err()
            .to_string()
            .contains("gone.cases.toml: there is no rule gone.rhai")
    );
    let step = "[[case]]\nname = \"x\"\n[[case.step]]\ntransaction = \"\"\nrow = [{ table = \"balance\", op = \"insert\", after = { balanse = \"1\" } }]";
    let results =
        run_cases(&TestRuleFolder::of(&[("good.rhai", &good), ("good.cases.toml", step)]).0)
            .unwrap();
    assert!(results[0].detail.contains("balanse"), "{results:?}");
}

#[test]
fn cases_tell_when_and_what_is_open() {
    let body =
        "fn check(row) { violation(row.after.account_id, \"i\", \"m\", row.after.available) }";
    let good = rule("r", BALANCE_TRIGGER, body);
    let cases = |at: i64, state: &str| {
        format!(
            "[[case]]\nname = \"one\"\n[[case.step]]\nwatermark = {{ binlog = 40 }}\n[[case.step]]\ntransaction = \"\"\n\
             row = [{{ table = \"balance\", op = \"insert\", after = {{ account_id = \"A\", available = \"5.0\" }} }}]\n\
             [[case.expect]]\nat = {at}\namount = \"5.0\"\n[[case.breaker]]\nat = 39\nkey = \"cash_out/account/A\"\n\
             state = \"closed\"\n[[case.breaker]]\nat = 40\nkey = \"cash_out/account/A\"\nstate = \"{state}\"\n"
        )
    };
    let detail = |at: i64, state: &str| {
        let files = RuleFiles::of(vec![
            ("r.rhai".into(), good.clone()),
            ("r.cases.toml".into(), cases(at, state)),
        ]);
        run_cases_of(&files).unwrap()[0].detail.clone()
    };
    assert_eq!(detail(40, "open"), "");
    assert!(detail(41, "open").contains("came at 40 ms, expected at 41 ms"));
    assert!(
        detail(40, "closed")
            .contains("at 40 ms breaker cash_out/account/A is Open, expected Closed")
    );
}
