//! Parameters of rules: exact, and asked for.

use crate::rules::tests::{
    BALANCE_TRIGGER, TestRuleFolder, balance, rule, run, transaction, violations, with_header,
};

#[test]
fn parameters_are_exact_and_must_be_used() {
    let body = "fn check(row) { let now = row.after; if now.available > param(\"most\") && now.currency in \
        param(\"of\") && param(\"n\") == 2 { violation(now.account_id, param(\"word\"), \"much\") } }";
    let params = "[params]\nmost = \"5.005\"\nof = [\"CNY\", \"USD\"]\nn = 2\nword = \"item\"";
    let good = with_header(&rule("r", BALANCE_TRIGGER, body), params);
    let mut evaluator = TestRuleFolder::of(&[("r.rhai", &good)]).evaluator();
    let found = run(
        &mut evaluator,
        &[transaction(
            "0-1-1",
            vec![balance("A", "5", "5.005"), balance("B", "5", "5.01")],
        )],
    );
    assert_eq!(violations(&found), ["r B item"]);
    assert_eq!(found[0].detail.as_ref().unwrap().params["most"], "5.005");
    let refusals = [
        (
            good.replace("most =", "mots ="),
            "[params] has no `most`: is it `mots`?",
        ),
        (
            good.replace("n = 2", "n = 2\n//! m = 3"),
            "params.m is never asked for",
        ),
        (good.replace("n = 2", "n = 2.5"), "params.n is a float"),
        (
            good.replace("\"USD\"]", "3]"),
            "params.of has a integer in its list",
        ),
        (
            good.replace("param(\"word\")", "param(now.currency)"),
            "param takes the name written out",
        ),
        (
            with_header(&good, "[budget]\naccounts_percent = 0"),
            "budget.accounts_percent = 0",
        ),
        (
            with_header(&good, "[budget]\namount = \"-1\""),
            "below zero",
        ),
        (
            with_header(&good, "[budget]\ntrips = 1"),
            "unknown field `trips`",
        ),
    ];
    for (text, part) in refusals {
        let errors = TestRuleFolder::of(&[("r.rhai", &text)])
            .load()
            .unwrap_err()
            .to_string();
        assert!(errors.contains(part), "{part} in {errors}");
    }
    let header = with_header(&good, "[budget]\namount = \"100.5\"\ntrips_per_hour = 2");
    let header = header.replacen("//! owner", "//! rate_per_hour = 3\n//! owner", 1);
    let set = TestRuleFolder::of(&[("r.rhai", &header)]).load().unwrap();
    let header = set.rules().next().unwrap();
    assert_eq!(
        (
            header.rate_per_hour,
            header.budget.trips_per_hour,
            header.budget.errors_per_hour
        ),
        (Some(3), 2, 100)
    );
    assert_eq!(
        header.budget.amount.map(|a| a.to_string()).as_deref(),
        Some("100.5")
    );
}
