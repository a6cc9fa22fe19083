//! Holds of accounts while a pair is open.

use crate::rules::Evaluator;
use crate::rules::pair_tests::{PAIR_BODY, PAIR_SIDES, booked, clocks};
use crate::rules::runtime::finding::FindingOutcome;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::tests::{
    BALANCE_TRIGGER, TestRuleFolder, at, deposit, key, payment, rule, run, shipped, transaction,
    violations,
};
use crate::stream::change::SourceKind;
use std::sync::Arc;

#[test]
fn holds_open_and_close_with_their_pair() {
    let mut evaluator = Evaluator::new(Arc::new(RuleSet::load(&shipped(), key()).unwrap()));
    run(&mut evaluator, &clocks(1_000));
    let quiet = evaluator.holds_version();
    run(
        &mut evaluator,
        &[
            booked("0-1-1", "P-1", "5"),
            transaction("0-1-2", vec![deposit("A-0", "P-2", "5")]),
        ],
    );
    assert_eq!(evaluator.holds(), ["A-0", "A-1"]);
    let held = evaluator.holds_version();
    assert_ne!(held, quiet);
    // A second open pair of the same account changes nothing until both are closed.
    run(
        &mut evaluator,
        &[
            booked("0-1-3", "P-3", "5"),
            payment("e1", 1, "A-1", "P-1", "5"),
        ],
    );
    assert_eq!(
        (evaluator.holds_version(), evaluator.holds().len()),
        (held, 2)
    );
    run(&mut evaluator, &[payment("e3", 3, "A-1", "P-3", "5")]);
    assert_eq!(evaluator.holds(), ["A-0"]);
    // The breaker takes over from the hold.
    run(&mut evaluator, &[at(SourceKind::Binlog, 1_100)]);
    let found = run(&mut evaluator, &[at(SourceKind::Kafka, 3_100)]);
    assert_eq!(violations(&found), ["booking_has_payment A-0 P-2"]);
    assert!(evaluator.holds().is_empty() && evaluator.holds_version() > held);
}

#[test]
fn only_a_rule_that_may_trip_holds() {
    let text = |mode: &str| {
        rule("p", &format!("{PAIR_SIDES}require = \"left\""), PAIR_BODY)
            .replace("mode = \"trip\"", &format!("mode = {mode:?}"))
    };
    let set = |mode: &str| {
        Arc::new(
            TestRuleFolder::of(&[("p.rhai", &text(mode))])
                .load()
                .unwrap(),
        )
    };
    let mut evaluator = Evaluator::new(set("shadow"));
    run(&mut evaluator, &[payment("e", 1, "A-1", "P-1", "5")]);
    assert!(evaluator.holds().is_empty() && evaluator.open_pairs() == 1);
    evaluator.swap(set("trip"));
    assert_eq!(evaluator.holds(), ["A-1"]);
    // What holds money goes on to the end of its pair, whoever ended the mode.
    evaluator.swap(set("alert"));
    run(&mut evaluator, &[payment("e2", 2, "A-2", "P-2", "5")]);
    assert_eq!(evaluator.holds(), ["A-1"]);
    run(&mut evaluator, &[booked("0-1-1", "P-1", "5")]);
    assert!(evaluator.holds().is_empty());
    evaluator.swap(set("trip"));
    assert_eq!(evaluator.holds(), ["A-2"]);
    evaluator.swap(set("alert"));
    evaluator.swap(set("trip"));
    assert_eq!(evaluator.holds(), ["A-2"], "held twice or let go");
    let none = rule("q", BALANCE_TRIGGER, "fn check(row) {}");
    evaluator.swap(Arc::new(
        TestRuleFolder::of(&[("q.rhai", &none)]).load().unwrap(),
    ));
    assert!(evaluator.holds().is_empty() && evaluator.open_pairs() == 0);
}

#[test]
fn a_rule_that_is_new_cant_say_that_something_is_missing_yet() {
    let none = rule("q", BALANCE_TRIGGER, "fn check(row) {}");
    let mut evaluator = TestRuleFolder::of(&[("q.rhai", &none)]).evaluator();
    run(&mut evaluator, &clocks(1_000));
    run(&mut evaluator, &[booked("0-1-1", "P-1", "5")]);
    let text = rule("p", &format!("{PAIR_SIDES}require = \"left\""), PAIR_BODY);
    evaluator.swap(Arc::new(
        TestRuleFolder::of(&[("p.rhai", &text)]).load().unwrap(),
    ));
    run(
        &mut evaluator,
        &[
            payment("e", 1, "A-1", "P-1", "5"),
            at(SourceKind::Kafka, 1_100),
        ],
    );
    let found = run(&mut evaluator, &[at(SourceKind::Binlog, 7_000)]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].outcome, FindingOutcome::Undetermined);
}
