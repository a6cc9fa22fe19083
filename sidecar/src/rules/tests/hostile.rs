//! Rules that would harm: each is refused when it is loaded, or stopped and named,
//! while a healthy rule beside it goes on.

use crate::rules::runtime::finding::FindingOutcome;
use crate::rules::tests::{
    BALANCE_TRIGGER, TestRuleFolder, balance, rule, run, transaction, violations,
};

const HEALTHY_BODY: &str = "fn check(row) { if row.after.balance != row.after.available { violation(row.after.account_id, \"b\", \"differs\") } }";

/// Evaluates the body beside a healthy rule and returns what was said about it.
fn said_about(body: &str) -> String {
    let files = TestRuleFolder::of(&[
        ("hostile.rhai", &rule("hostile", BALANCE_TRIGGER, body)),
        (
            "healthy.rhai",
            &rule("healthy", BALANCE_TRIGGER, HEALTHY_BODY),
        ),
    ]);
    let set = match files.load() {
        Ok(set) => set,
        Err(errors) => {
            let text = errors.to_string();
            assert!(
                text.starts_with("hostile.rhai: ") && !text.contains("healthy"),
                "{text}"
            );
            return text;
        }
    };
    let mut evaluator = crate::rules::Evaluator::new(set.into());
    // Three bad rows: the hostile rule is named once, the healthy one fires thrice.
    let rows = vec![
        balance("A-1", "2", "1"),
        balance("A-2", "2", "1"),
        balance("A-3", "2", "1"),
    ];
    let found = run(&mut evaluator, &[transaction("0-1-1", rows)]);
    assert_eq!(
        violations(&found),
        ["healthy A-1 b", "healthy A-2 b", "healthy A-3 b"]
    );
    let unsure: Vec<_> = found
        .iter()
        .filter(|f| f.outcome == FindingOutcome::Undetermined)
        .collect();
    // Once for its first account, once for everybody: not once a row.
    assert!(
        (1..=2).contains(&unsure.len()),
        "{}",
        &body[..body.len().min(200)]
    );
    assert!(
        unsure
            .iter()
            .all(|f| f.rule.id == "hostile" && f.item == "error")
    );
    // What a trip rule could not check must not leave.
    let stopped = unsure
        .last()
        .and_then(|f| f.breakers.first())
        .map(ToString::to_string);
    assert_eq!(
        stopped.as_deref(),
        Some("cash_out/all/*"),
        "{}",
        unsure[0].message
    );
    let errors = evaluator.errors();
    assert!(!errors.is_empty() && errors.iter().all(|e| e.rule == "hostile"));
    assert!(evaluator.errors().is_empty(), "errors are drained");
    unsure[0].message.clone()
}

/// Bodies of rules, and part of what is said about each.
const HOSTILE_BODIES: &[(&str, &str)] = &[
    ("fn check(row) { loop {} }", "check: "),
    ("fn check(row) { while true { let x = 1; } }", "check: "),
    ("fn check(row) { check(row) }", "Stack overflow"),
    (
        "fn f(x) { g(x) } fn g(x) { f(x) } fn check(row) { f(1) }",
        "Stack overflow",
    ),
    (
        "fn check(row) { let s = \"x\"; loop { s += s; } }",
        "too large",
    ),
    (
        "fn check(row) { let s = \"\"; s.pad(30_000_000, 'x'); }",
        "too large",
    ),
    (
        "fn check(row) { let a = []; a.pad(30_000_000, 0); }",
        "too large",
    ),
    (
        "fn check(row) { let a = [0]; loop { a += a; } }",
        "too large",
    ),
    (
        "fn check(row) { let m = #{}; let i = 0; loop { m[`k${i}`] = i; i += 1; } }",
        "too large",
    ),
    ("fn check(row) { sleep(2); }", "sleep"),
    ("fn check(row) { eval(\"1\"); }", "eval"),
    ("fn check(row) { print(1); }", "print"),
    ("fn check(row) { import \"x\" as x; }", "import"),
    ("fn check(row) { row.after.balanse == 1 }", "balanse"),
    (
        "fn check(row) { row.after.order_id }",
        "balance has no column `order_id`",
    ),
    (
        "fn check(row) { row.before.balance }",
        "inserted: it has no before",
    ),
    ("fn check(row) { let m = #{}; m.nothing }", "nothing"),
    ("fn check(row) { 1 - \"1\" }", "-"),
    ("fn check(row) { 9223372036854775807 + 1 }", "overflow"),
    (
        "fn check(row) { let x = 9223372036854775807; x * x }",
        "overflow",
    ),
    (
        "fn check(row) { let d = row.after.balance + 79228162514264337593543950330; d * d }",
        "",
    ),
    (
        "fn check(row) { row.after.balance / (row.after.balance - row.after.balance) }",
        "zero",
    ),
    ("fn check(row) { true }", "answered bool"),
    (
        "fn check(row) { [1, violation(\"a\", \"b\", \"c\")] }",
        "answered i64",
    ),
    ("fn check(row) { violation((), \"b\", \"c\") }", "violation"),
    ("fn check(row) { throw \"up\" }", "up"),
    ("fn check(row) { unknown }", "unknown"),
    ("fn check(row) { let x = ; }", "can't be compiled"),
    ("fn chekc(row) { }", "there is no `fn check(row)`"),
    ("fn check(row, other) { }", "there is no `fn check(row)`"),
];

#[test]
fn hostile_rules_by_table() {
    let functions: String = (0..10_000).map(|n| format!("fn f{n}() {{}}\n")).collect();
    let many = format!("{functions}fn check(row) {{}}");
    let deep = format!(
        "fn check(row) {{ {}1{} }}",
        "(1+".repeat(500),
        ")".repeat(500)
    );
    let long = format!("fn check(row) {{ \"{}\" }}", "x".repeat(100_000));
    let long_ones: &[(&str, &str)] = &[
        (&many, "at most"),
        (&deep, "can't be compiled"),
        (&long, "at most"),
    ];
    for (body, part) in HOSTILE_BODIES.iter().chain(long_ones) {
        let short = &body[..body.len().min(80)];
        let said = said_about(body);
        // On a busy machine the deadline may come before the limit.
        assert!(
            said.contains(part)
                || ["longer than", "Too many operations"]
                    .iter()
                    .any(|limit| said.contains(limit)),
            "{short}: {said}"
        );
    }
}

#[test]
fn a_slow_rule_costs_its_deadline_once_per_transaction() {
    let slow = rule(
        "slow",
        BALANCE_TRIGGER,
        "fn check(row) { let a = []; a.pad(8000, 1); loop { a.reverse(); a.sort(); } }",
    );
    let mut evaluator = TestRuleFolder::of(&[("slow.rhai", &slow)]).evaluator();
    let rows = (0..500)
        .map(|n| balance(&format!("A-{n}"), "1", "1"))
        .collect();
    let found = run(&mut evaluator, &[transaction("0-1-1", rows)]);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].message.contains("took longer than"),
        "{}",
        found[0].message
    );
}

#[test]
fn a_misspelt_sum_is_an_error_too() {
    let trigger = "on = \"transaction\"\ntables = [\"entry\"]";
    let bodies = [
        (
            "for off in tx.net(\"entry\", [\"ref\"], #{}).nonzero() { off.acount }",
            "acount",
        ),
        (
            "tx.net(\"entry\", [\"reff\"], #{})",
            "entry has no column reff",
        ),
        (
            "tx.net(\"entry\", [\"ref\"], #{ boook: \"available\" })",
            "entry has no column boook",
        ),
        (
            "tx.net(\"entri\", [\"ref\"], #{})",
            "entri is not a watched table",
        ),
        (
            "tx.moves(\"entry\", [\"ref\"], \"amont\")",
            "entry has no column amont",
        ),
        (
            "tx.moves(\"entry\", [\"ref\"], \"book\")",
            "book of entry is not an amount",
        ),
        ("tx.net(\"entry\", [], #{})", "a key has 1 to 4 columns"),
        ("tx.rows(\"entri\")", "not a watched table"),
        ("tx.touches(\"entri\")", "not a watched table"),
        ("tx.provenence", "provenence"),
    ];
    for (body, part) in bodies {
        // Written out, it is refused when it is loaded; handed over, when it is asked for.
        for body in [
            format!("fn check(tx) {{ {body} }}"),
            format!("fn check(tx) {{ f(tx) }} fn f(tx) {{ {body} }}"),
        ] {
            let files = TestRuleFolder::of(&[("r.rhai", &rule("r", trigger, &body))]);
            let said = match files.load() {
                Err(errors) => errors.to_string(),
                Ok(set) => {
                    let entry = crate::rules::tests::deposit("A-1", "P-1", "5");
                    let found = run(
                        &mut crate::rules::Evaluator::new(set.into()),
                        &[transaction("0-1-1", vec![entry])],
                    );
                    found.iter().map(|f| f.message.as_str()).collect()
                }
            };
            assert!(
                said.replace(['`', '"'], "").contains(part),
                "{body}: {said}"
            );
        }
    }
}
