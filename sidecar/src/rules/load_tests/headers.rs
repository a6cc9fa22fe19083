//! Headers: a wrong one is refused, and the error names the field.

use crate::rules::load_tests::QUIET_BODY;
use crate::rules::tests::{BALANCE_TRIGGER, TestRuleFolder, rule};

/// The cause for which a file `r.rhai` is refused.
fn refusal(text: &str) -> String {
    let good = rule("good", BALANCE_TRIGGER, QUIET_BODY);
    let errors = TestRuleFolder::of(&[("r.rhai", text), ("good.rhai", &good)])
        .load()
        .unwrap_err();
    assert_eq!(errors.0.len(), 1, "{errors}");
    assert_eq!(errors.0[0].file, "r.rhai");
    assert!(!errors.0[0].next.is_empty());
    errors.0[0].cause.clone()
}

/// Fields beside the trigger, and parts of the error.
fn file_fields() -> Vec<(String, &'static str)> {
    let good = rule("r", BALANCE_TRIGGER, QUIET_BODY);
    vec![
        (QUIET_BODY.to_owned(), "no header"),
        (
            good.replace("id = \"r\"", "id = \"q\""),
            "id = \"q\" is not the file's name",
        ),
        (
            good.replace("severity = \"minor\"", "severity = \"tiny\""),
            "tiny",
        ),
        (
            good.replace("kind = \"internal_logic\"", "kind = \"luck\""),
            "luck",
        ),
        (
            good.replace("owner = \"us\"", "owner = \" \""),
            "owner is empty",
        ),
        (good.replace("owner = \"us\"", "boss = \"us\""), "boss"),
        (good.replace("//! runbook = \"none\"\n", ""), "runbook"),
        (
            good.replace("//! breaker = \"cash_out/account\"\n", ""),
            "needs breaker",
        ),
        (good.replace("cash_out/account", "cash_out"), "point/scope"),
        (
            good.replace("cash_out/account", "cash/account"),
            "breaker point",
        ),
        (
            good.replace("cash_out/account", "cash_out/channel"),
            "account or all",
        ),
        (
            good.replace(
                "\"cash_out/account\"",
                "[\"refund/account\", \"refund/account\"]",
            ),
            "twice",
        ),
        (
            good.replace(
                "\"cash_out/account\"",
                "[\"refund/account\", \"cash_out/all\"]",
            ),
            "same scope",
        ),
        (good.replace("\"cash_out/account\"", "[]"), "needs breaker"),
    ]
}

/// Triggers without memory.
fn plain_triggers() -> Vec<(String, &'static str)> {
    let good = rule("r", BALANCE_TRIGGER, QUIET_BODY);
    vec![
        (good.replace("\"row\"", "\"cron\""), "cron"),
        (
            good.replace("\"balance\"", "\"balances\""),
            "trigger.table = \"balances\" is not a watched table",
        ),
        (
            good.replace("[\"insert\", \"update\"]", "[]"),
            "trigger.ops",
        ),
        (good.replace("\"update\"]", "\"upsert\"]"), "upsert"),
        (
            rule(
                "r",
                &format!("{BALANCE_TRIGGER}\nchanged = [\"state\"]"),
                QUIET_BODY,
            ),
            "trigger.changed = \"state\" is not a column of balance",
        ),
        (
            rule(
                "r",
                &format!("{BALANCE_TRIGGER}\nwhere = {{ x = 1 }}"),
                QUIET_BODY,
            ),
            "trigger.where = \"x\"",
        ),
        (
            rule("r", &format!("{BALANCE_TRIGGER}\nspan_ms = 1"), QUIET_BODY),
            "span_ms",
        ),
        (
            rule("r", "on = \"transaction\"\ntables = []", QUIET_BODY),
            "trigger.tables is empty",
        ),
        (
            rule(
                "r",
                "on = \"event\"\nevent = \"payment.failed\"",
                QUIET_BODY,
            ),
            "trigger.event",
        ),
    ]
}

/// Window triggers.
fn windows() -> Vec<(String, &'static str)> {
    let window = |rest: &str| {
        rule(
            "r",
            &format!("on = \"window\"\ntable = \"orders\"\n{rest}"),
            "fn check(a, b) {}",
        )
    };
    vec![
        (
            window("ops = [\"insert\"]\nkey = []\nspan_ms = 1\nkeep = \"order_id\""),
            "trigger.key is empty",
        ),
        (
            window("ops = [\"insert\"]\nkey = [\"biz\"]\nspan_ms = 1\nkeep = \"order_id\""),
            "trigger.key = \"biz\"",
        ),
        (
            window("ops = [\"insert\"]\nkey = [\"biz_no\"]\nspan_ms = 0\nkeep = \"order_id\""),
            "trigger.span_ms",
        ),
        (
            window("ops = [\"delete\"]\nkey = [\"biz_no\"]\nspan_ms = 1\nkeep = \"order_id\""),
            "trigger.ops",
        ),
        (
            window("ops = [\"insert\"]\nkey = [\"biz_no\"]\nspan_ms = 1\nkeep = \"id\""),
            "trigger.keep = \"id\"",
        ),
    ]
}

/// Pair triggers.
fn pairs() -> Vec<(String, &'static str)> {
    let pair = |left: &str, rest: &str| {
        let right = "right = { event = \"payment.succeeded\", key = \"biz_no\" }\nwithin_ms = 5";
        rule(
            "r",
            &format!("on = \"pair\"\nleft = {left}\n{right}\n{rest}"),
            "fn check(a, b) {}",
        )
    };
    vec![
        (
            pair("{ key = \"ref\" }", "require = \"none\""),
            "trigger.left needs either",
        ),
        (
            pair(
                "{ table = \"entry\", op = \"insert\", key = \"biz_no\" }",
                "require = \"none\"",
            ),
            "trigger.left.key = \"biz_no\"",
        ),
        (
            pair(
                "{ table = \"entry\", op = \"delete\", key = \"ref\" }",
                "require = \"none\"",
            ),
            "trigger.left.op",
        ),
        (
            pair(
                "{ event = \"payment.succeeded\", key = \"ref\" }",
                "require = \"none\"",
            ),
            "trigger.left.key",
        ),
        (
            pair(
                "{ table = \"entry\", op = \"insert\", key = \"ref\" }",
                "require = \"left\"",
            ),
            "fn missing(one)",
        ),
        (
            pair(
                "{ table = \"entry\", op = \"insert\", key = \"ref\" }",
                "require = \"some\"",
            ),
            "some",
        ),
        (
            pair(
                "{ table = \"entry\", op = \"insert\", key = [\"account_id\", \"ref\"] }",
                "require = \"none\"",
            ),
            "trigger.right.key needs as many",
        ),
    ]
}

#[test]
fn a_wrong_header_is_refused_by_field() {
    let cases = [file_fields(), plain_triggers(), windows(), pairs()];
    for (text, part) in cases.iter().flatten() {
        let why = refusal(text);
        assert!(why.contains(part), "expected {part:?} in: {why}");
    }
}
