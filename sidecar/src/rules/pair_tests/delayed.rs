//! Delayed comparison: the newest of each side count.

use crate::rules::pair_tests::DELAYED_PAIR;
use crate::rules::tests::{
    TestRuleFolder, at, deposit, payment, rule, run, transaction, violations,
};
use crate::stream::change::SourceKind;

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
