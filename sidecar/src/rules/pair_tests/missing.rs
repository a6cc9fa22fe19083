//! Halves that are missed, and when.

use crate::rules::pair_tests::{booked, clocks, pair};
use crate::rules::tests::{at, payment, run, violations};
use crate::stream::change::SourceKind;

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
