//! A stream that begins again, has a gap, or is evaluated on several threads.

use crate::backtest::BacktestOptions;
use crate::backtest::tests::recording::{at, begin, day, events_at, order, written};
use crate::backtest::tests::{asked, limit, set, trial, tried};
use crate::recording::{RecordingEntry, RecordingMark};

#[test]
fn what_a_restart_reads_again_is_not_held_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut records = vec![
        begin(false),
        order(9, "A1", "10", None),
        order(9, "A1", "10", Some(1)),
        at(2),
    ];
    // Opened after that claim, and read again with the breaker open.
    records.extend([order(1, "A1", "600", None), at(3)]);
    records.extend([
        begin(false),
        order(9, "A1", "10", Some(1)),
        order(1, "A1", "600", None),
        at(3),
    ]);
    records.extend([order(1, "A1", "600", Some(4)), at(5)]);
    written(dir.path(), &records);
    let (report, lines) = tried(dir.path(), &trial(set(vec![limit(500)]), None));
    assert_eq!((report.seen.starts, lines.lines().count()), (2, 1));
    assert_eq!(report.held.held["CNY"].orders, 1, "{:?}", report.held);
}

#[test]
fn near_a_gap_a_missing_half_is_no_violation() {
    let dir = tempfile::tempdir().unwrap();
    let mut records = vec![
        begin(true),
        order(1, "A1", "1", None),
        at(10),
        events_at(10),
        at(12),
        events_at(12),
    ];
    // Well after the beginning: this one was really not asked for.
    records.extend([
        order(2, "A2", "1", None),
        at(20),
        events_at(20),
        at(22),
        events_at(22),
    ]);
    records.extend([
        RecordingEntry::Mark(RecordingMark::Gap { lost: 3 }),
        order(3, "A3", "1", None),
    ]);
    records.extend([
        at(30),
        events_at(30),
        at(32),
        events_at(32),
        at(40),
        events_at(40),
    ]);
    written(dir.path(), &records);
    let (report, lines) = tried(dir.path(), &trial(set(vec![asked()]), None));
    assert_eq!(
        (
            report.rules[0].now.violations,
            report.rules[0].now.undetermined
        ),
        (1, 2),
        "{lines}"
    );
    assert_eq!((report.seen.gaps, report.seen.lost), (1, 3));
    // Without drafts it says nothing.
    let silent = BacktestOptions {
        drafts: false,
        ..trial(set(vec![asked()]), None)
    };
    assert_eq!(tried(dir.path(), &silent).1, "");
}

#[test]
fn any_number_of_workers_writes_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &day());
    let of = |workers| {
        let trial = BacktestOptions {
            workers,
            ..trial(
                set(vec![limit(500), asked()]),
                Some(set(vec![limit(1_000)])),
            )
        };
        let (report, lines) = tried(dir.path(), &trial);
        (serde_json::to_string(&report).unwrap(), lines)
    };
    let one = of(1);
    assert!(one.1.lines().count() >= 2);
    for workers in [1, 2, 4] {
        assert!(of(workers) == one, "{workers} workers");
    }
}
