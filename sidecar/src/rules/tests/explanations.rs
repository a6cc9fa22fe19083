//! Explanations of findings: the inputs and reads that are kept.

use crate::rules::tests::{
    BALANCE_TRIGGER, TestRuleFolder, at, balance, deposit, inputs, payment, reads, rule, run,
    transaction,
};
use crate::stream::change::{RowChange, SourceKind};

#[test]
fn a_finding_keeps_what_the_rule_read() {
    let body = "fn check(row) { let now = row.after; if now.balance != now.available && row.op == \"insert\" { \
        violation(now.account_id, now.currency, `off by ${now.balance - now.available}`, now.available - now.balance) } }";
    let mut evaluator =
        TestRuleFolder::of(&[("r.rhai", &rule("r", BALANCE_TRIGGER, body))]).evaluator();
    let changes = vec![deposit("A-1", "P-1", "1"), balance("A-1", "7.01", "7")];
    let found = run(&mut evaluator, &[transaction("0-1-7", changes)]);
    assert_eq!(
        found[0].amount.map(|a| a.to_string()).as_deref(),
        Some("0.01")
    );
    assert_eq!(inputs(&found[0]), ["0-1-7 row 2: balance insert"]);
    let after = |read: &str| format!("row 2: balance insert, after|{read}");
    let wanted = [
        "balance=7.01",
        "available=7",
        "account_id=A-1",
        "currency=CNY",
    ]
    .map(after);
    assert_eq!(reads(&found[0]), wanted);
    let json = serde_json::to_string(&**found[0].detail.as_ref().unwrap()).unwrap();
    assert!(
        json.contains("\"name\":\"balance\",\"value\":\"7.01\"") && json.contains("\"cut\":false"),
        "{json}"
    );
}

#[test]
fn sums_events_and_what_made_something_missing_are_kept_too() {
    let body = "fn check(tx) { [violation(\"\", \"\", `${tx.provenance} ${tx.net(\"entry\", [\"ref\"], \
        #{ book: \"available\" }).nonzero().len}`)] }";
    let text = rule("r", "on = \"transaction\"\ntables = [\"entry\"]", body);
    let found = run(
        &mut TestRuleFolder::of(&[("r.rhai", &text)]).evaluator(),
        &[transaction("0-1-1", vec![deposit("A", "P", "5")])],
    );
    assert_eq!(inputs(&found[0]), ["0-1-1 transaction of 1 watched rows"]);
    let read = reads(&found[0]);
    assert_eq!(read[0], "transaction|provenance=missing");
    assert!(
        read[1].starts_with("net of entry by ref, book = available|nonzero=")
            && read[1].contains('5'),
        "{read:?}"
    );

    let sides = "on = \"pair\"\nleft = { event = \"deposit.received\", key = \"biz_no\" }\n\
        right = { table = \"entry\", op = \"insert\", key = \"ref\" }\nwithin_ms = 5000\nrequire = \"left\"";
    let body =
        "fn check(l, r) {} fn missing(l) { violation(l.account_id, l.biz_no, \"gone\", l.amount) }";
    let mut evaluator = TestRuleFolder::of(&[("p.rhai", &rule("p", sides, body))]).evaluator();
    let gone = [
        payment("e", 1, "A-1", "P-1", "5.20"),
        at(SourceKind::Kafka, 1_000),
        at(SourceKind::Binlog, 7_000),
    ];
    let found = run(&mut evaluator, &gone);
    assert_eq!(
        inputs(&found[0]),
        [
            "business.payment/0/1 event deposit.received e",
            "binlog came until 7000000 without a partner"
        ]
    );
    assert_eq!(reads(&found[0])[2], "event deposit.received e|amount=5.20");
}

#[test]
fn what_is_kept_is_bounded_and_a_failure_is_explained() {
    let body = "fn check(tx) { let n = 0; for row in tx.rows(\"entry\") { n += row.after.line; } \
        [violation(\"\", \"\", `${n}`)] }";
    let files = [
        (
            "r.rhai",
            rule("r", "on = \"transaction\"\ntables = [\"entry\"]", body),
        ),
        (
            "s.rhai",
            rule(
                "s",
                BALANCE_TRIGGER,
                "fn check(row) { row.after.balance / (row.after.available - 7) }",
            ),
        ),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (*n, t.as_str())).collect();
    let mut changes: Vec<RowChange> = (0..300)
        .map(|n| deposit("A", &format!("P-{n}"), "5"))
        .collect();
    changes.push(balance("A", "7", "7"));
    let found = run(
        &mut TestRuleFolder::of(&files).evaluator(),
        &[transaction("0-1-1", changes)],
    );
    let detail = |rule: &str| {
        found
            .iter()
            .find(|f| f.rule.id == rule)
            .unwrap()
            .detail
            .clone()
            .unwrap()
    };
    assert!(detail("r").cut && detail("r").reads.len() == 200);
    let failed = detail("s");
    assert_eq!(
        (failed.reads.len(), failed.cut, failed.inputs.len()),
        (2, false, 1)
    );
}
