//! Headers, loading and reloading.

use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::tests::{
    BALANCE_TRIGGER, TestRuleFolder, at, balance, deposit, rule, run, transaction, violations,
};
use crate::rules::{Evaluator, RuleMode};
use crate::stream::change::SourceKind;
use sluice_contract::settings::Secret;
use std::path::Path;
use std::sync::Arc;

const SILENT_BODY: &str = "fn check(row) {}";

/// Why a file `r.rhai` is refused.
fn refusal(text: &str) -> String {
    let good = rule("good", BALANCE_TRIGGER, SILENT_BODY);
    let errors = TestRuleFolder::of(&[("r.rhai", text), ("good.rhai", &good)])
        .load()
        .unwrap_err();
    assert_eq!(errors.0.len(), 1, "{errors}");
    assert_eq!(errors.0[0].file, "r.rhai");
    assert!(!errors.0[0].next.is_empty());
    errors.0[0].cause.clone()
}

#[test]
fn a_wrong_header_is_refused_by_field() {
    let good = rule("r", BALANCE_TRIGGER, SILENT_BODY);
    let pair = |left: &str, rest: &str| {
        let right = "right = { event = \"payment.succeeded\", key = \"biz_no\" }\nwithin_ms = 5";
        rule(
            "r",
            &format!("on = \"pair\"\nleft = {left}\n{right}\n{rest}"),
            "fn check(a, b) {}",
        )
    };
    let window = |rest: &str| {
        rule(
            "r",
            &format!("on = \"window\"\ntable = \"orders\"\n{rest}"),
            "fn check(a, b) {}",
        )
    };
    let cases: &[(String, &str)] = &[
        (SILENT_BODY.to_owned(), "no header"),
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
                SILENT_BODY,
            ),
            "trigger.changed = \"state\" is not a column of balance",
        ),
        (
            rule(
                "r",
                &format!("{BALANCE_TRIGGER}\nwhere = {{ x = 1 }}"),
                SILENT_BODY,
            ),
            "trigger.where = \"x\"",
        ),
        (
            rule("r", &format!("{BALANCE_TRIGGER}\nspan_ms = 1"), SILENT_BODY),
            "span_ms",
        ),
        (
            rule("r", "on = \"transaction\"\ntables = []", SILENT_BODY),
            "trigger.tables is empty",
        ),
        (
            rule(
                "r",
                "on = \"event\"\nevent = \"payment.failed\"",
                SILENT_BODY,
            ),
            "trigger.event",
        ),
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
    ];
    for (text, part) in cases {
        let why = refusal(text);
        assert!(why.contains(part), "expected {part:?} in: {why}");
    }
}

#[test]
fn all_bad_files_are_named_and_none_is_loaded() {
    let good = rule("good", BALANCE_TRIGGER, SILENT_BODY);
    let folder = TestRuleFolder::of(&[
        ("a.rhai", "fn"),
        ("b.rhai", "//! id = 1"),
        ("good.rhai", &good),
        ("notes.txt", "x"),
    ]);
    let errors = folder.load().unwrap_err();
    assert_eq!(
        errors
            .to_string()
            .lines()
            .filter(|l| l.contains(".rhai: "))
            .count(),
        2,
        "{errors}"
    );
    assert!(
        TestRuleFolder::of(&[])
            .load()
            .unwrap_err()
            .to_string()
            .contains("no rule file")
    );
    let nowhere = crate::rules::runtime::rule_set::RuleSet::load(
        Path::new("/nowhere/rules"),
        Secret::new("k"),
    )
    .unwrap_err();
    assert!(
        nowhere
            .to_string()
            .contains("/nowhere/rules: can't be read"),
        "{nowhere}"
    );
}

#[test]
fn the_hash_covers_every_file() {
    let one = rule("one", BALANCE_TRIGGER, SILENT_BODY);
    let hash = |files: &[(&str, &str)]| TestRuleFolder::of(files).load().unwrap().hash().to_owned();
    let plain = hash(&[("one.rhai", &one)]);
    assert_eq!(plain.len(), 16);
    assert_eq!(plain, hash(&[("one.rhai", &one), (".one.rhai.swp", "x")]));
    assert_ne!(
        plain,
        hash(&[("one.rhai", &one), ("one.cases.toml", "case = []")])
    );
    assert_ne!(plain, hash(&[("one.rhai", &format!("{one}\n"))]));
}

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

#[test]
fn a_reload_keeps_what_an_unchanged_rule_remembers() {
    let window = "on = \"window\"\ntable = \"entry\"\nops = [\"insert\"]\nkey = [\"ref\"]\nspan_ms = 1000\nkeep = \"posting_id\"";
    let body =
        "fn check(row, earlier) { violation(row.after.account_id, `${earlier.count}`, \"m\") }";
    let first = TestRuleFolder::of(&[("r.rhai", &rule("r", window, body))]);
    let mut evaluator = first.evaluator();
    let entry = |position: &str| transaction(position, vec![deposit("A-1", "P-1", "1")]);
    assert!(run(&mut evaluator, &[entry("0-1-1"), at(SourceKind::Binlog, 1)]).is_empty());
    let reworded = rule("r", window, &format!("{body} // better"));
    let added = rule("a", BALANCE_TRIGGER, SILENT_BODY);
    evaluator.swap(Arc::new(
        TestRuleFolder::of(&[("a.rhai", &added), ("r.rhai", &reworded)])
            .load()
            .unwrap(),
    ));
    assert_eq!(
        violations(&run(&mut evaluator, &[entry("0-1-2")])),
        ["r A-1 1"]
    );
    let longer = rule("r", &window.replace("1000", "2000"), body);
    evaluator.swap(Arc::new(
        TestRuleFolder::of(&[("r.rhai", &longer)]).load().unwrap(),
    ));
    assert!(
        run(&mut evaluator, &[entry("0-1-3")]).is_empty(),
        "another span begins anew"
    );
}

#[test]
fn a_candidate_takes_no_memory_from_the_armed_version() {
    let window = "on = \"window\"\ntable = \"entry\"\nops = [\"insert\"]\nkey = [\"ref\"]\nspan_ms = 1000\nkeep = \"posting_id\"";
    let body =
        "fn check(row, earlier) { violation(row.after.account_id, `${earlier.count}`, \"m\") }";
    let file = |text: String, candidate: bool| crate::rules::RuleFile {
        id: "r".to_owned(),
        text,
        cases: String::new(),
        mode: None,
        candidate,
    };
    let armed = file(rule("r", window, body), false);
    let next = file(rule("r", window, &format!("{body} // next")), true);
    let set = |rules: Vec<crate::rules::RuleFile>| {
        let files = crate::rules::RuleFiles {
            rules,
            ..crate::rules::RuleFiles::default()
        };
        Arc::new(RuleSet::build(&files, crate::rules::tests::key()).unwrap())
    };
    let entry = |position: &str| transaction(position, vec![deposit("A-1", "P-1", "1")]);
    for both in [
        vec![armed.clone(), next.clone()],
        vec![next.clone(), armed.clone()],
    ] {
        let mut evaluator = Evaluator::new(set(vec![armed.clone()]));
        run(&mut evaluator, &[entry("0-1-1")]);
        evaluator.swap(set(both));
        assert_eq!(
            violations(&run(&mut evaluator, &[entry("0-1-2")])),
            ["r A-1 1"],
            "the armed one remembers"
        );
        let mut said = violations(&run(&mut evaluator, &[entry("0-1-3")]));
        said.sort();
        assert_eq!(
            said,
            ["r A-1 1", "r A-1 2"],
            "and the candidate has begun to"
        );
        // Armed, the candidate goes on with what it has seen itself.
        let promoted = crate::rules::RuleFile {
            candidate: false,
            ..next.clone()
        };
        evaluator.swap(set(vec![promoted]));
        assert_eq!(
            violations(&run(&mut evaluator, &[entry("0-1-4")])),
            ["r A-1 2"]
        );
    }
}

#[test]
fn what_a_window_needs_to_be_rebuilt() {
    let window = "on = \"window\"\ntable = \"entry\"\nops = [\"insert\"]\nkey = [\"ref\"]\nspan_ms = 1000\nkeep = \"posting_id\"";
    let mut evaluator: Evaluator =
        TestRuleFolder::of(&[("r.rhai", &rule("r", window, "fn check(row, earlier) {}"))])
            .evaluator();
    let needs = |e: &Evaluator| e.needs_from(SourceKind::Binlog).map(|p| p.to_string());
    assert_eq!(needs(&evaluator), None);
    run(
        &mut evaluator,
        &[
            transaction("0-1-1", vec![deposit("A", "P-1", "1")]),
            at(SourceKind::Binlog, 10),
        ],
    );
    run(
        &mut evaluator,
        &[
            transaction("0-1-2", vec![deposit("A", "P-2", "1")]),
            at(SourceKind::Binlog, 500),
        ],
    );
    assert_eq!(needs(&evaluator).as_deref(), Some("0-1-1"));
    run(&mut evaluator, &[at(SourceKind::Binlog, 1_010)]);
    assert_eq!(needs(&evaluator).as_deref(), Some("0-1-2"));
    run(&mut evaluator, &[at(SourceKind::Binlog, 1_500)]);
    assert_eq!(needs(&evaluator), None);
    assert_eq!(evaluator.needs_from(SourceKind::Kafka), None);
}

#[test]
fn rules_on_tables_of_another_server_sleep_and_others_do_not() {
    let pair = "on = \"pair\"\nleft = { table = \"entry\", op = \"insert\", key = \"ref\" }\n\
        right = { event = \"payment.succeeded\", key = \"biz_no\" }\nwithin_ms = 5\nrequire = \"none\"";
    let on = |tables: &str| format!("on = \"transaction\"\ntables = {tables}");
    let files = [
        ("row.rhai", rule("row", BALANCE_TRIGGER, SILENT_BODY)),
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
