//! Blind rules: those over tables of another server sleep.

use crate::rules::RuleMode;
use crate::rules::load_tests::QUIET_BODY;
use crate::rules::tests::{BALANCE_TRIGGER, TestRuleFolder, rule};

#[test]
fn rules_on_tables_of_another_server_sleep_and_others_do_not() {
    let pair = "on = \"pair\"\nleft = { table = \"entry\", op = \"insert\", key = \"ref\" }\n\
        right = { event = \"payment.succeeded\", key = \"biz_no\" }\nwithin_ms = 5\nrequire = \"none\"";
    let on = |tables: &str| format!("on = \"transaction\"\ntables = {tables}");
    let files = [
        ("row.rhai", rule("row", BALANCE_TRIGGER, QUIET_BODY)),
        ("pair.rhai", rule("pair", pair, "fn check(a, b) {}")),
        (
            "both.rhai",
            rule("both", &on("[\"balance\", \"entry\"]"), "fn check(tx) {}"),
        ),
        (
            "proof.rhai",
            rule("proof", &on("[\"balance\", \"orders\"]"), "fn check(tx) {}"),
        ),
    ];
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    let mut set = TestRuleFolder::of(&files).load().unwrap();
    assert_eq!(
        set.without(&["balance", "capture", "entry"]),
        ["both", "pair", "row"]
    );
    let awake: Vec<&str> = set
        .rules()
        .filter(|r| r.mode != RuleMode::Draft)
        .map(|r| r.id.as_str())
        .collect();
    assert_eq!(awake, ["proof"]);
}
