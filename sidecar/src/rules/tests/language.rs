//! What rules are given: explanations, the library, parameters, changes, windows,
//! balances, delays; and names that are refused before anything runs.

use crate::rules::RuleFiles;
use crate::rules::runtime::finding::{Finding, FindingOutcome};
use crate::rules::testing::coverage;
use crate::rules::tests::{
    BALANCE_TRIGGER, TestRuleFolder, at, balance, deposit, insert, money, payment, rule, run,
    shipped, text, transaction, violations,
};
use crate::stream::change::{ChangeOp, ColumnValue, RowChange, RuleInput, SourceKind};

fn with_header(text: &str, more: &str) -> String {
    let more: String = more.lines().map(|line| format!("//! {line}\n")).collect();
    text.replacen("//! [trigger]", &format!("{more}//! [trigger]"), 1)
}

fn update(before: RowChange, after: RowChange) -> RowChange {
    RowChange {
        op: ChangeOp::Update,
        before: before.after,
        ..after
    }
}

fn reads(finding: &Finding) -> Vec<String> {
    let detail = finding.detail.as_ref().unwrap();
    let word = |r: &crate::rules::TracedRead| {
        format!(
            "{}|{}={}",
            r.of,
            r.name,
            r.value.as_deref().unwrap_or("NULL")
        )
    };
    detail.reads.iter().map(word).collect()
}

fn inputs(finding: &Finding) -> Vec<String> {
    let detail = finding.detail.as_ref().unwrap();
    detail
        .inputs
        .iter()
        .map(|i| format!("{} {}", i.position, i.what))
        .collect()
}

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

#[test]
fn a_library_is_shared_hashed_and_checked() {
    let uses = rule(
        "r",
        BALANCE_TRIGGER,
        "fn check(row) { if twice(row.after.available) > 5 { violation(\"\", \"\", \"\") } }",
    );
    let lib = "// shared\nfn twice(x) { one(x) + one(x) }\nprivate fn one(x) { x }\n";
    let files = |lib: &[(&str, &str)]| {
        let mut texts: Vec<(String, String)> = lib
            .iter()
            .map(|(n, t)| (format!("lib/{n}.rhai"), (*t).to_owned()))
            .collect();
        texts.push(("r.rhai".to_owned(), uses.clone()));
        RuleFiles::of(texts)
    };
    let load = |lib: &[(&str, &str)]| {
        crate::rules::runtime::rule_set::RuleSet::build(&files(lib), crate::rules::tests::key())
    };
    let set = load(&[("x", lib)]).unwrap();
    let (hash, whole) = (set.rules[0].hash.clone(), set.hash().to_owned());
    let found = run(
        &mut crate::rules::Evaluator::new(set.into()),
        &[transaction("0-1-1", vec![balance("A", "3", "3")])],
    );
    assert_eq!(
        (found.len(), found[0].outcome, &found[0].rule_hash),
        (1, FindingOutcome::Violation, &hash)
    );
    let other = load(&[("x", &format!("{lib} "))]).unwrap();
    assert!(other.rules[0].hash != hash && other.hash() != whole);
    for (lib, file, part) in [
        (
            vec![("x", lib), ("y", "fn twice(a) { a }")],
            "lib/y.rhai",
            "as lib/x.rhai does",
        ),
        (
            vec![("x", "let a = 1; fn twice(x) { x }")],
            "lib/x.rhai",
            "line 1: `let` stands outside",
        ),
        (
            vec![("x", "fn check(row) {}")],
            "lib/x.rhai",
            "only a rule has",
        ),
        (
            vec![("x", "fn violation(a, b, c) {}")],
            "lib/x.rhai",
            "given already",
        ),
        (
            vec![("x", "fn twice(x) { param(\"a\") }")],
            "lib/x.rhai",
            "hand them over",
        ),
        (
            vec![("x", "fn twice(x { }")],
            "lib/x.rhai",
            "can't be compiled",
        ),
    ] {
        let errors = load(&lib).unwrap_err();
        assert!(errors.0.len() == 1 && errors.0[0].file == file, "{errors}");
        assert!(errors.to_string().contains(part), "{errors}");
    }
    let hides = RuleFiles::of(vec![
        ("lib/x.rhai".to_owned(), lib.to_owned()),
        ("r.rhai".to_owned(), format!("{uses}fn twice(a) {{ a }}")),
    ]);
    assert!(
        crate::rules::runtime::rule_set::RuleSet::build(&hides, crate::rules::tests::key())
            .unwrap_err()
            .to_string()
            .contains("as lib/x.rhai does")
    );
}

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

#[test]
fn a_row_knows_what_changed() {
    let body = "fn check(row) { violation(\"\", `${row.changed.len}`, `${row.changed(\"available\")} ${row.changed}`) }";
    let mut evaluator =
        TestRuleFolder::of(&[("r.rhai", &rule("r", BALANCE_TRIGGER, body))]).evaluator();
    let changes = vec![
        update(balance("A", "5", "5"), balance("A", "6", "5")),
        balance("A", "1", "1"),
    ];
    let found = run(&mut evaluator, &[transaction("0-1-1", changes)]);
    assert_eq!(
        (found[0].item.as_str(), found[0].message.as_str()),
        ("1", "false [\"balance\"]")
    );
    assert!(
        found[1].item == "9" && found[1].message.starts_with("true"),
        "{found:?}"
    );
}

const WINDOW_TRIGGER: &str = "on = \"window\"\ntable = \"entry\"\nops = [\"insert\"]\nkey = [\"account_id\"]\nspan_ms = 1000\n";

#[test]
fn a_window_is_exact_however_much_it_holds() {
    let body = "fn check(row, earlier) { violation(\"\", `${earlier.count} ${earlier.sum} ${earlier.distinct} \
        ${earlier.seen(row.after.amount)} ${earlier.values.len}`, \"m\") }";
    let text = rule(
        "r",
        &format!("{WINDOW_TRIGGER}keep = \"amount\"\nfirst = true"),
        body,
    );
    let mut evaluator = TestRuleFolder::of(&[("r.rhai", &text)]).evaluator();
    let mut kept: Vec<(i64, u32)> = Vec::new();
    let mut now = 0;
    for n in 0..600_u32 {
        // Bursts and pauses, so that the key grows past what is shown, and shrinks again.
        now += if n % 200 < 150 { 2 } else { 30 };
        let amount = n * 7 % 41;
        let found = run(
            &mut evaluator,
            &[
                transaction(
                    &format!("0-1-{n}"),
                    vec![deposit("A", &format!("P-{n}"), &format!("{amount}.50"))],
                ),
                at(SourceKind::Binlog, now),
            ],
        );
        let mut distinct: Vec<u32> = kept.iter().map(|(_, a)| *a).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let cents: u32 = kept.iter().map(|(_, a)| a * 100 + 50).sum();
        let sum = rust_decimal::Decimal::new(i64::from(cents), 2);
        let wanted = [
            kept.len().to_string(),
            sum.normalize().to_string(),
            distinct.len().to_string(),
            distinct.contains(&amount).to_string(),
            kept.len().min(64).to_string(),
        ];
        let mut said: Vec<String> = found[0].item.split(' ').map(str::to_owned).collect();
        said[1] = said[1]
            .parse::<rust_decimal::Decimal>()
            .unwrap()
            .normalize()
            .to_string();
        assert_eq!(said, wanted, "row {n}");
        kept.push((now, amount));
        kept.retain(|(at, _)| at + 1_000 > now);
    }
}

#[test]
fn a_window_of_texts_has_no_sum() {
    let body = "fn check(row, earlier) { if earlier.sum > 1 {} }";
    let text = rule("r", &format!("{WINDOW_TRIGGER}keep = \"ref\""), body);
    let errors = TestRuleFolder::of(&[("r.rhai", &text)])
        .load()
        .unwrap_err()
        .to_string();
    assert!(
        errors.contains("keeps ref, a text: it has no sum"),
        "{errors}"
    );
}

#[test]
fn the_last_balance_is_known_to_every_rule() {
    let body = "fn check(row) { let b = balance_of(row.after.account_id, row.after.currency); \
        violation(\"\", if b == () { \"unknown\" } else { `${b.available}` }, \"m\") }";
    let on = "on = \"row\"\ntable = \"entry\"\nops = [\"insert\"]";
    let mut evaluator = TestRuleFolder::of(&[("r.rhai", &rule("r", on, body))]).evaluator();
    let versioned = |version: i64, amount: &str| {
        let mut change = balance("A", amount, amount);
        let at = change.table.column("version").unwrap();
        change.after.as_mut().unwrap()[at] = ColumnValue::Int(version);
        change
    };
    let mut said = |changes: Vec<RowChange>, n: u32| {
        let found = run(&mut evaluator, &[transaction(&format!("0-1-{n}"), changes)]);
        found.iter().map(|f| f.item.clone()).collect::<Vec<_>>()
    };
    assert_eq!(said(vec![deposit("A", "P", "1")], 1), ["unknown"]);
    assert_eq!(
        said(vec![deposit("A", "P", "1"), versioned(5, "7")], 2),
        ["7"]
    );
    // A redelivery of something older changes nothing.
    assert_eq!(said(vec![versioned(4, "6")], 3), [""; 0]);
    assert_eq!(
        said(vec![deposit("A", "P", "1"), deposit("B", "P", "1")], 4),
        ["7", "unknown"]
    );
}

const DELAYED_PAIR: &str = "on = \"pair\"\nleft = { event = \"deposit.received\", key = \"biz_no\" }\n\
    right = { table = \"entry\", op = \"insert\", key = \"ref\" }\nwithin_ms = 5000\nkeep_ms = 20000\n\
    delay_ms = 2000\nrequire = \"left\"";

#[test]
fn a_delayed_pair_compares_what_is_newest_then() {
    let body = "fn check(l, r) { if l.amount != r.amount { violation(l.account_id, l.biz_no, `${l.amount} ${r.amount}`) } } \
        fn missing(l) { violation(l.account_id, \"gone\", \"\") }";
    let mut evaluator =
        TestRuleFolder::of(&[("p.rhai", &rule("p", DELAYED_PAIR, body))]).evaluator();
    let clocks = |ms: i64| [at(SourceKind::Binlog, ms), at(SourceKind::Kafka, ms)];
    let booked =
        |n: u32, amount: &str| transaction(&format!("0-1-{n}"), vec![deposit("A", "P-1", amount)]);
    assert!(
        run(
            &mut evaluator,
            &[payment("e", 1, "A", "P-1", "5"), booked(1, "4")]
        )
        .is_empty()
    );
    run(&mut evaluator, &clocks(1_000));
    // Corrected within the delay.
    assert!(run(&mut evaluator, &[booked(2, "5")]).is_empty());
    assert!(run(&mut evaluator, &clocks(2_000)).is_empty());
    assert!(run(&mut evaluator, &clocks(9_000)).is_empty());
    // And what stays wrong is said once, when both sources have passed the delay.
    run(&mut evaluator, &[booked(3, "6")]);
    run(&mut evaluator, &clocks(10_000));
    assert!(run(&mut evaluator, &[at(SourceKind::Binlog, 12_500)]).is_empty());
    let found = run(&mut evaluator, &[at(SourceKind::Kafka, 12_000)]);
    assert_eq!(
        (violations(&found), found[0].message.as_str()),
        (vec!["p A P-1".to_owned()], "5 6")
    );
    assert!(run(&mut evaluator, &clocks(90_000)).is_empty());
    let late = rule(
        "p",
        &DELAYED_PAIR.replace("2000\nrequire", "5001\nrequire"),
        body,
    );
    let errors = TestRuleFolder::of(&[("p.rhai", &late)])
        .load()
        .unwrap_err()
        .to_string();
    assert!(
        errors.contains("trigger.delay_ms = 5001 is longer than within_ms"),
        "{errors}"
    );
}

#[test]
fn a_source_that_lags_is_told_once_per_episode() {
    let body = "fn check(l, r) {} fn missing(l) { violation(l.account_id, l.biz_no, \"gone\") }";
    let text = rule("p", &DELAYED_PAIR.replace("delay_ms = 2000\n", ""), body);
    let mut evaluator = TestRuleFolder::of(&[("p.rhai", &text)]).evaluator();
    let mut step = |inputs: &[RuleInput]| {
        let found = run(&mut evaluator, inputs);
        let said: Vec<_> = found
            .iter()
            .map(|f| (f.outcome, f.item.clone(), f.breakers.len()))
            .collect();
        (said, evaluator.lagging(), evaluator.errors().len())
    };
    let first = [
        payment("e", 1, "A", "P-1", "5"),
        at(SourceKind::Binlog, 1_000),
        at(SourceKind::Kafka, 1_000),
    ];
    assert_eq!(step(&first), (vec![], 0, 0));
    assert_eq!(
        step(&[at(SourceKind::Kafka, 36_000)]),
        (vec![], 0, 0),
        "the first one after a pause"
    );
    let lags = vec![(
        FindingOutcome::Undetermined,
        crate::rules::UNKNOWN_ITEM.to_owned(),
        0,
    )];
    assert_eq!(step(&[at(SourceKind::Kafka, 36_100)]), (lags.clone(), 1, 0));
    assert_eq!(
        step(&[at(SourceKind::Kafka, 90_000), at(SourceKind::Binlog, 5_999)]),
        (vec![], 1, 0),
        "said once"
    );
    let gone = vec![(FindingOutcome::Violation, "P-1".to_owned(), 1)];
    assert_eq!(
        step(&[at(SourceKind::Binlog, 6_000)]),
        (gone, 0, 0),
        "decided as always"
    );
    assert_eq!(
        step(&[
            payment("f", 2, "A", "P-2", "5"),
            at(SourceKind::Kafka, 90_100)
        ]),
        (vec![], 0, 0)
    );
    assert_eq!(
        step(&[
            at(SourceKind::Kafka, 130_000),
            at(SourceKind::Kafka, 130_100)
        ]),
        (lags, 1, 0),
        "another episode"
    );
    let met = [
        transaction("0-1-1", vec![deposit("A", "P-2", "5")]),
        at(SourceKind::Binlog, 130_100),
    ];
    assert_eq!(step(&met), (vec![], 0, 0));
}

#[test]
fn misspelt_names_are_refused_with_line_and_nearest() {
    let transaction = "on = \"transaction\"\ntables = [\"entry\"]";
    let window = format!("{WINDOW_TRIGGER}keep = \"amount\"");
    let cases: &[(&str, &str, &str)] = &[
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
            transaction,
            "fn check(tx) { tx.rows(\"entri\") }",
            "\"entri\" is not a watched table: is it `entry`?",
        ),
        (
            transaction,
            "fn check(tx) { tx.row(\"entry\") }",
            "a transaction has no `row(…)`: is it `rows`?",
        ),
        (
            transaction,
            "fn check(tx) { for e in tx.rows(\"entry\") { e.after.reff } }",
            "entry has no column `reff`",
        ),
        (
            transaction,
            "fn check(tx) { tx.net(\"entry\", [\"reff\"], #{}) }",
            "entry has no column `reff`",
        ),
        (
            transaction,
            "fn check(tx) { tx.net(\"entry\", [\"ref\"], #{ boook: 1 }) }",
            "entry has no column `boook`",
        ),
        (
            transaction,
            "fn check(tx) { tx.moves(\"balance\", [\"currency\"], \"version\") }",
            "is not an amount",
        ),
        (
            transaction,
            "fn check(tx) { tx.net(\"entry\", [\"ref\"], #{}).nonzero()[0].acount }",
            "is it `account`?",
        ),
        (
            &window,
            "fn check(row, earlier) { earlier.len }",
            "a window has no `len`",
        ),
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
        (
            BALANCE_TRIGGER,
            "fn param(x) {} fn check(row) {}",
            "given already",
        ),
    ];
    for (trigger, body, part) in cases {
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

#[test]
fn coverage_names_what_no_case_has_seen() {
    let body = "fn check(row) {\n if row.after.available > 5 && row.after.balance > 5 { return; }\n \
        if helper(row.after.available) { violation(row.after.account_id, \"i\", \"m\") }\n}\nfn helper(x) { x == 1 }\n\
        fn unused() {}";
    let case = |available: &str, more: &str| {
        format!(
            "[[case]]\nname = \"{available}\"\n[[case.step]]\ntransaction = \"\"\nrow = [{{ table = \"balance\", \
             op = \"insert\", after = {{ account_id = \"A\", balance = \"9\", available = \"{available}\" }} }}]\n{more}"
        )
    };
    let cases = case("1", "[[case.expect]]\naccount = \"A\"\n") + &case("9", "");
    let files = RuleFiles::of(vec![
        ("r.rhai".to_owned(), rule("r", BALANCE_TRIGGER, body)),
        ("r.cases.toml".to_owned(), cases.clone()),
    ]);
    let found = coverage::of(&files.rules[0], &files.lib);
    let missing: Vec<String> = found.missing.iter().map(ToString::to_string).collect();
    assert_eq!(
        missing,
        [
            "line 14: `row.after.balance > 5` was never false",
            "line 15: `helper(row.after.available)` was never false",
            "line 18: `fn unused` was never entered",
        ]
    );
    assert_eq!((found.branches, found.percent()), (11, 72));
    let broken = RuleFiles::of(vec![("r.rhai".to_owned(), "fn".to_owned())]);
    assert_eq!(coverage::of(&broken.rules[0], &[]).missing.len(), 1);
}

#[test]
fn the_cases_of_shipped_rules_see_every_branch() {
    let measured = coverage::measure(&RuleFiles::read(&shipped()).unwrap()).unwrap();
    let missing = measured
        .iter()
        .flat_map(|(file, c)| c.missing.iter().map(move |m| format!("{file} {m}")));
    let missing: Vec<String> = missing.collect();
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(measured.len() > 15 && measured.contains_key("lib/amounts.rhai"));
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
        crate::rules::run_cases_of(&files).unwrap()[0]
            .detail
            .clone()
    };
    assert_eq!(detail(40, "open"), "");
    assert!(detail(41, "open").contains("came at 40 ms, expected at 41 ms"));
    assert!(
        detail(40, "closed")
            .contains("at 40 ms breaker cash_out/account/A is Open, expected Closed")
    );
}

#[test]
fn rows_of_tables_that_no_rule_watches_cost_no_call() {
    let other = insert(
        "attempt",
        &[
            ("account_id", text("A")),
            ("attempt_no", ColumnValue::Int(1)),
        ],
    );
    let body = "fn check(tx) { violation(\"\", \"\", \"\") }";
    let text = rule(
        "r",
        "on = \"transaction\"\ntables = [\"entry\", \"balance\"]",
        body,
    );
    let mut evaluator = TestRuleFolder::of(&[("r.rhai", &text)]).evaluator();
    assert!(run(&mut evaluator, &[transaction("0-1-1", vec![other])]).is_empty());
    let both = vec![
        deposit("A", "P", "1"),
        balance("A", "1", "1"),
        insert("balance", &[("balance", money("1"))]),
    ];
    assert_eq!(
        run(&mut evaluator, &[transaction("0-1-2", both)]).len(),
        1,
        "once for a transaction of both"
    );
}

#[test]
fn the_guides_examples_are_executed() {
    let dir = shipped().join("../docs/rules");
    let files = RuleFiles::read(&dir).unwrap();
    assert_eq!(files.rules.len(), 10);
    let failed: Vec<_> = crate::rules::run_cases_of(&files)
        .unwrap()
        .into_iter()
        .filter(|r| !r.passed)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let measured = coverage::measure(&files).unwrap();
    let missing: Vec<_> = measured.iter().filter(|(_, c)| c.percent() < 100).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    let guide = std::fs::read_to_string(dir.join("../RULES.md")).unwrap();
    for rule in &files.rules {
        assert!(
            guide.contains(&format!("rules/{}.rhai", rule.id)),
            "docs/RULES.md does not name {}",
            rule.id
        );
    }
    // What the guide promises of names is what there is.
    for known in crate::rules::text::tables::CATALOG_TABLES
        .iter()
        .map(|t| t.name)
        .chain(crate::rules::views::event_view::EVENT_FIELDS)
    {
        assert!(
            guide.contains(&format!("`{known}`")),
            "docs/RULES.md does not name `{known}`"
        );
    }
}
