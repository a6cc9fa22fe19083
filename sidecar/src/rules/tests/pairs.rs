//! Pairs: meeting, missing, redelivery, holds.

use crate::rules::Evaluator;
use crate::rules::runtime::finding::FindingOutcome;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::tests::{
    TestRuleFolder, at, deposit, key, payment, rule, run, shipped, transaction, violations,
};
use crate::stream::change::{RuleInput, SourceKind};
use std::sync::Arc;

pub const PAIR_SIDES: &str = "on = \"pair\"\nleft = { event = \"deposit.received\", key = \"biz_no\" }\n\
    right = { table = \"entry\", op = \"insert\", key = \"ref\", where = { kind = \"deposit\", book = \"available\" } }\n\
    within_ms = 5000\nkeep_ms = 20000\nhold = true\n";
pub const PAIR_BODY: &str = "fn check(l, r) { if l.amount != r.amount { violation(l.account_id, l.biz_no, \"differs\") } }\n\
    fn missing(one) { violation(one.account_id, \"gone\", \"missing\") }";

pub fn pair(require: &str) -> Evaluator {
    let text = rule(
        "p",
        &format!("{PAIR_SIDES}require = {require:?}"),
        PAIR_BODY,
    );
    TestRuleFolder::of(&[("p.rhai", &text)]).evaluator()
}

pub fn booked(position: &str, payment: &str, amount: &str) -> RuleInput {
    transaction(position, vec![deposit("A-1", payment, amount)])
}

pub fn clocks(ms: i64) -> [RuleInput; 2] {
    [at(SourceKind::Binlog, ms), at(SourceKind::Kafka, ms)]
}

#[test]
fn the_same_pair_is_the_same_verdict_in_either_order() {
    let (event, entry) = (
        payment("e", 1, "A-1", "P-1", "5"),
        booked("0-1-1", "P-1", "5.01"),
    );
    let one = run(&mut pair("none"), &[event.clone(), entry.clone()]);
    let other = run(&mut pair("none"), &[entry, event]);
    assert_eq!(violations(&one), ["p A-1 P-1"]);
    assert_eq!(one, other);
    assert_eq!(&*one[0].position, "business.payment/0/1");
}

#[test]
fn missing_only_once_the_other_source_is_past_the_deadline() {
    let mut evaluator = pair("left");
    run(&mut evaluator, &clocks(1_000));
    let found = run(
        &mut evaluator,
        &[
            payment("e", 1, "A-1", "P-1", "5"),
            at(SourceKind::Kafka, 1_500),
            at(SourceKind::Binlog, 6_499),
        ],
    );
    assert!(found.is_empty() && evaluator.open_pairs() == 1);
    assert!(
        run(&mut evaluator, &[at(SourceKind::Kafka, 36_499)]).is_empty(),
        "the binlog lags a little"
    );
    assert_eq!(
        violations(&run(&mut evaluator, &[at(SourceKind::Binlog, 6_500)])),
        ["p A-1 gone"]
    );
    assert_eq!(evaluator.open_pairs(), 0);
    assert!(
        run(&mut evaluator, &clocks(999_000)).is_empty(),
        "said once"
    );
}

#[test]
fn a_pause_of_all_sources_is_nobodys_fault() {
    // The process slept from 1 s to 60 s; the event came at 59.9 s.
    let mut evaluator = pair("left");
    run(&mut evaluator, &clocks(1_000));
    let found = run(
        &mut evaluator,
        &[
            payment("e", 1, "A-1", "P-1", "5"),
            at(SourceKind::Binlog, 60_000),
            at(SourceKind::Kafka, 60_000),
        ],
    );
    assert!(found.is_empty());
    assert!(
        run(
            &mut evaluator,
            &[booked("0-1-1", "P-1", "5"), at(SourceKind::Binlog, 60_500)]
        )
        .is_empty()
    );
    assert!(run(&mut evaluator, &clocks(120_000)).is_empty());
}

#[test]
fn before_the_first_watermark_nothing_is_late() {
    let mut evaluator = pair("both");
    let early = [
        payment("e", 1, "A-1", "P-1", "5"),
        booked("0-1-1", "P-2", "5"),
    ];
    assert!(run(&mut evaluator, &early).is_empty());
    assert!(run(&mut evaluator, &clocks(1_000_000)).is_empty());
    let found = run(&mut evaluator, &clocks(1_005_000));
    assert_eq!(violations(&found), ["p A-1 gone", "p A-1 gone"]);
}

#[test]
fn either_or_both_sides_can_be_required() {
    for (require, missing) in [("none", 0), ("left", 1), ("right", 1), ("both", 2)] {
        let mut evaluator = pair(require);
        run(
            &mut evaluator,
            &[
                payment("e", 1, "A-1", "P-1", "5"),
                booked("0-1-1", "P-2", "5"),
            ],
        );
        run(&mut evaluator, &clocks(1_000));
        assert_eq!(
            run(&mut evaluator, &clocks(7_000)).len(),
            missing,
            "{require}"
        );
    }
}

#[test]
fn a_redelivery_is_never_a_finding() {
    let mut evaluator = pair("both");
    let entry = booked("0-1-1", "P-1", "5");
    run(
        &mut evaluator,
        &[payment("e", 1, "A-1", "P-1", "5"), entry.clone()],
    );
    // At once, and again when everything about it is forgotten; the same event has another offset.
    for (offset, ms) in [(1, 1_000), (2, 100_000), (3, 900_000)] {
        let again = [payment("e", offset, "A-1", "P-1", "5"), entry.clone()];
        assert!(run(&mut evaluator, &again).is_empty());
        assert!(run(&mut evaluator, &clocks(ms)).is_empty());
    }
    assert_eq!(evaluator.open_pairs(), 0);
}

#[test]
fn the_same_id_with_another_amount_is_not_the_same_event() {
    let mut evaluator = pair("left");
    run(
        &mut evaluator,
        &[
            payment("e", 1, "A-1", "P-1", "5"),
            booked("0-1-1", "P-1", "5"),
        ],
    );
    assert_eq!(
        violations(&run(&mut evaluator, &[payment("e", 2, "A-1", "P-1", "6")])),
        ["p A-1 P-1"]
    );
}

#[test]
fn several_waiting_sides_meet_one_partner() {
    let mut evaluator = pair("left");
    run(
        &mut evaluator,
        &[
            payment("e1", 1, "A-1", "P-1", "5"),
            payment("e2", 2, "A-1", "P-1", "6"),
        ],
    );
    assert_eq!(evaluator.open_pairs(), 2);
    let found = run(&mut evaluator, &[booked("0-1-1", "P-1", "5")]);
    assert_eq!(violations(&found), ["p A-1 P-1"]);
    assert_eq!(
        (&*found[0].position, evaluator.open_pairs()),
        ("business.payment/0/2", 0)
    );
}

#[test]
fn a_late_partner_is_still_compared() {
    let mut evaluator = pair("both");
    run(&mut evaluator, &[payment("e", 1, "A-1", "P-1", "5")]);
    run(&mut evaluator, &clocks(1_000));
    assert_eq!(run(&mut evaluator, &clocks(6_000)).len(), 1);
    assert_eq!(
        violations(&run(&mut evaluator, &[booked("0-1-1", "P-1", "4")])),
        ["p A-1 P-1"]
    );
    assert!(run(&mut evaluator, &clocks(90_000)).is_empty());
}

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
    evaluator.swap(set("alert"));
    assert!(evaluator.holds().is_empty());
    evaluator.swap(set("trip"));
    let none = rule(
        "q",
        crate::rules::tests::BALANCE_TRIGGER,
        "fn check(row) {}",
    );
    evaluator.swap(Arc::new(
        TestRuleFolder::of(&[("q.rhai", &none)]).load().unwrap(),
    ));
    assert!(evaluator.holds().is_empty() && evaluator.open_pairs() == 0);
}

#[test]
fn a_rule_that_is_new_cant_say_that_something_is_missing_yet() {
    let none = rule(
        "q",
        crate::rules::tests::BALANCE_TRIGGER,
        "fn check(row) {}",
    );
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

/// Binlog and Kafka: where reading would begin again.
pub fn needs(evaluator: &Evaluator) -> [Option<String>; 2] {
    [SourceKind::Binlog, SourceKind::Kafka]
        .map(|source| evaluator.needs_from(source).map(|p| p.to_string()))
}

#[test]
fn what_pairs_need_to_be_rebuilt() {
    // Patience 5 s, so D is 10 s.
    let mut evaluator = pair("left");
    assert_eq!(needs(&evaluator), [None, None]);
    for second in 1..=60u32 {
        let inputs = [
            transaction(&format!("0-1-{second}"), vec![]),
            payment(
                &format!("e{second}"),
                second,
                "A-1",
                &format!("P-{second}"),
                "5",
            ),
        ];
        run(&mut evaluator, &inputs);
        run(
            &mut evaluator,
            &[booked(
                &format!("0-2-{second}"),
                &format!("P-{second}"),
                "5",
            )],
        );
        run(&mut evaluator, &clocks(i64::from(second) * 1_000));
    }
    // The oldest pair that is kept came at 41 s: the binlog from 21 s, Kafka from 31 s.
    assert_eq!(
        needs(&evaluator),
        [
            Some("0-1-21".to_owned()),
            Some("business.payment/0/31".to_owned())
        ]
    );
    // Everything is closed: still 2·D of the binlog, so that what comes next can be judged.
    run(&mut evaluator, &clocks(90_000));
    run(
        &mut evaluator,
        &[
            transaction("0-1-99", vec![]),
            at(SourceKind::Binlog, 91_000),
        ],
    );
    assert_eq!(needs(&evaluator), [Some("0-1-99".to_owned()), None]);
}

#[test]
fn a_restart_neither_accuses_what_had_met_nor_forgives_what_is_open() {
    let mut evaluator = pair("both");
    // Met before anything that is read again: the row comes without its event.
    run(
        &mut evaluator,
        &[booked("0-1-1", "P-1", "5"), at(SourceKind::Binlog, 400_000)],
    );
    // Open when the sidecar died, and never paid.
    run(
        &mut evaluator,
        &[
            at(SourceKind::Binlog, 420_000),
            booked("0-1-2", "P-2", "5"),
            at(SourceKind::Binlog, 421_000),
        ],
    );
    assert_eq!(evaluator.open_pairs(), 2);
    let found = run(&mut evaluator, &[at(SourceKind::Kafka, 900_000)]);
    assert_eq!(
        (found.len(), &*found[0].position, evaluator.open_pairs()),
        (1, "0-1-2", 0)
    );
}
