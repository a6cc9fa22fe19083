//! Pairs whose other half may lie where nobody looks: nothing is said to be missing.

use crate::rules::pair_tests::{PAIR_BODY, PAIR_SIDES, booked, clocks, pair};
use crate::rules::runtime::finding::{Finding, FindingOutcome};
use crate::rules::tests::{TestRuleFolder, at, payment, rule, run, violations};
use crate::rules::{Evaluator, UNKNOWN_ITEM};
use crate::stream::change::{ReceivedEvent, RuleInput, SourceKind};
use crate::stream::offsets::PartitionOffsets;
use std::sync::Arc;

/// Each finding's outcome, item, account and number of breakers.
fn said(found: &[Finding]) -> Vec<(FindingOutcome, &str, &str, usize)> {
    found
        .iter()
        .map(|f| {
            (
                f.outcome,
                f.item.as_str(),
                f.account.as_str(),
                f.breakers.len(),
            )
        })
        .collect()
}

const UNKNOWN_FINDING: (FindingOutcome, &str, &str, usize) =
    (FindingOutcome::Undetermined, UNKNOWN_ITEM, "A-1", 0);

/// A deposit told with the time when it happened.
fn late_event(id: &str, offset: u32, biz_no: &str, occurred_ms: i64) -> RuleInput {
    let RuleInput::Event(event) = payment(id, offset, "A-1", biz_no, "5") else {
        unreachable!()
    };
    let mut body = event.body.clone();
    body.occurred_us = occurred_ms * 1_000;
    RuleInput::Event(Arc::new(ReceivedEvent {
        position: Arc::clone(&event.position),
        body,
    }))
}

#[test]
fn a_rule_that_begins_says_nothing_for_as_long_as_a_partner_is_kept() {
    let none = rule(
        "q",
        crate::rules::tests::BALANCE_TRIGGER,
        "fn check(row) {}",
    );
    let mut evaluator = TestRuleFolder::of(&[("q.rhai", &none)]).evaluator();
    run(&mut evaluator, &clocks(1_000));
    let text = rule("p", &format!("{PAIR_SIDES}require = \"right\""), PAIR_BODY);
    evaluator.swap(Arc::new(
        TestRuleFolder::of(&[("p.rhai", &text)]).load().unwrap(),
    ));
    // Its event came 12 s before, which is within keep_ms, and before the rule was there.
    run(&mut evaluator, &clocks(12_900));
    run(
        &mut evaluator,
        &[booked("0-1-1", "P-1", "5"), at(SourceKind::Binlog, 13_000)],
    );
    let found = run(&mut evaluator, &clocks(18_100));
    assert_eq!(said(&found), [UNKNOWN_FINDING]);
    assert!(evaluator.errors().is_empty(), "the rule did nothing wrong");
    // Past keep_ms of its beginning it speaks.
    run(&mut evaluator, &clocks(21_000));
    run(
        &mut evaluator,
        &[booked("0-1-2", "P-2", "5"), at(SourceKind::Binlog, 21_100)],
    );
    assert_eq!(
        violations(&run(&mut evaluator, &clocks(26_200))),
        ["p A-1 gone"]
    );
}

#[test]
fn an_event_told_long_after_it_happened_cant_be_missed_by_its_row() {
    let mut evaluator = pair("left");
    run(&mut evaluator, &clocks(1_000));
    run(
        &mut evaluator,
        &[late_event("e1", 1, "P-1", 900), booked("0-1-1", "P-1", "5")],
    );
    run(&mut evaluator, &clocks(2_000));
    // An hour later the upstream tells it again, under an id that is not known any more.
    let late = 3_600_000;
    run(&mut evaluator, &clocks(late));
    run(
        &mut evaluator,
        &[
            late_event("e1-again", 2, "P-1", 900),
            late_event("e2", 3, "P-2", late),
        ],
    );
    run(&mut evaluator, &clocks(late + 100));
    let found = run(&mut evaluator, &clocks(late + 6_000));
    // What happened just now is judged as always.
    assert_eq!(
        said(&found),
        [
            UNKNOWN_FINDING,
            (FindingOutcome::Violation, "gone", "A-1", 1)
        ]
    );
    assert!(evaluator.errors().is_empty());
}

/// An evaluator that begins somewhere, as a live one does.
fn live(require: &str, kafka_from_ms: Option<i64>) -> Evaluator {
    let mut evaluator = pair(require);
    evaluator.begins(kafka_from_ms.map(|ms| ms * 1_000), None);
    evaluator
}

#[test]
fn what_happened_before_the_first_start_is_not_said_to_miss_its_row() {
    let start = 1_000_000;
    // Kafka is read back; the binlog begins with what comes now.
    let mut evaluator = live("both", Some(start - 60_000));
    run(
        &mut evaluator,
        &[
            late_event("e1", 1, "P-1", start - 10_000),
            late_event("e2", 2, "P-2", start - 500),
        ],
    );
    run(&mut evaluator, &[booked("0-1-1", "P-2", "5")]);
    run(&mut evaluator, &clocks(start));
    assert!(
        run(&mut evaluator, &clocks(start + 6_000)).is_empty(),
        "its row may lie before the start"
    );
    assert_eq!(evaluator.open_pairs(), 0);
    // Told late: that can't be told from what was booked before the start.
    run(&mut evaluator, &[late_event("e3", 3, "P-3", start - 1_000)]);
    run(&mut evaluator, &clocks(start + 6_100));
    assert_eq!(
        said(&run(&mut evaluator, &clocks(start + 12_000))),
        [UNKNOWN_FINDING]
    );
}

#[test]
fn what_comes_after_the_first_start_is_judged_at_once() {
    let start = 1_000_000;
    let mut evaluator = live("both", Some(start - 60_000));
    run(&mut evaluator, &clocks(start));
    run(
        &mut evaluator,
        &[
            late_event("e1", 1, "P-1", start + 10),
            booked("0-1-1", "P-2", "5"),
        ],
    );
    run(&mut evaluator, &clocks(start + 100));
    assert_eq!(
        violations(&run(&mut evaluator, &clocks(start + 5_100))),
        ["p A-1 gone", "p A-1 gone"]
    );
}

#[test]
fn rows_read_again_find_the_events_of_a_kafka_without_checkpoint_or_are_left_alone() {
    let now = 1_000_000;
    // The binlog is read from 880 s again, Kafka from 900 s: pairs are kept for 20 s.
    let mut evaluator = live("right", Some(900_000));
    run(
        &mut evaluator,
        &[
            late_event("e1", 1, "P-1", 905_000),
            at(SourceKind::Binlog, 880_000),
        ],
    );
    for (position, biz_no, ms) in [
        ("0-1-1", "P-0", 910_000),
        ("0-1-2", "P-1", 915_000),
        ("0-1-3", "P-3", 925_000),
    ] {
        run(
            &mut evaluator,
            &[
                at(SourceKind::Binlog, ms - 1_000),
                booked(position, biz_no, "5"),
                at(SourceKind::Binlog, ms),
            ],
        );
    }
    let found = run(
        &mut evaluator,
        &[at(SourceKind::Binlog, now), at(SourceKind::Kafka, now)],
    );
    assert_eq!(
        said(&found),
        [
            UNKNOWN_FINDING,
            (FindingOutcome::Violation, "gone", "A-1", 1)
        ]
    );
    assert_eq!(&*found[0].position, "0-1-1");
}

/// Published while no sidecar ran, and read with what is read again: nobody judged it before.
#[test]
fn what_was_published_while_nobody_read_is_unknown_and_not_past() {
    let start = 1_000_000;
    let mut evaluator = pair("left");
    let judged = PartitionOffsets::parse("business.payment=2").unwrap();
    evaluator.begins(None, Some(judged));
    // Both happened before the first heartbeat that is read; the first was judged then.
    run(
        &mut evaluator,
        &[
            late_event("e1", 1, "P-1", start - 10_000),
            late_event("e2", 2, "P-2", start - 500),
        ],
    );
    run(&mut evaluator, &clocks(start));
    let found = run(&mut evaluator, &clocks(start + 6_000));
    assert_eq!(said(&found), [UNKNOWN_FINDING]);
    assert_eq!(&*found[0].position, "business.payment/0/2");
}

/// A sidecar whose clock is ahead takes over: its first heartbeat shortens every patience.
#[test]
fn a_clock_that_jumps_at_a_take_over_accuses_nobody() {
    for doubts in [false, true] {
        let mut evaluator = pair("right");
        run(&mut evaluator, &clocks(1_000_000));
        run(&mut evaluator, &[booked("0-1-1", "P-1", "5")]);
        run(&mut evaluator, &clocks(1_000_500));
        if doubts {
            evaluator.doubt_until(1_007_000_000);
        }
        let found = run(&mut evaluator, &clocks(1_007_000));
        let wanted = match doubts {
            false => (FindingOutcome::Violation, "gone", "A-1", 1),
            true => UNKNOWN_FINDING,
        };
        assert_eq!(said(&found), [wanted]);
        run(&mut evaluator, &clocks(1_027_100));
        run(&mut evaluator, &[booked("0-1-2", "P-2", "5")]);
        run(&mut evaluator, &clocks(1_027_200));
        let found = run(&mut evaluator, &clocks(1_033_000));
        assert_eq!(
            violations(&found),
            ["p A-1 gone"],
            "and soon it speaks again"
        );
    }
}
