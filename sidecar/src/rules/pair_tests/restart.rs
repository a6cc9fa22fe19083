//! Restarts: the positions that pairs need, and the verdicts after them.

use crate::rules::pair_tests::{booked, clocks, needs, pair};
use crate::rules::tests::{at, payment, run, transaction};
use crate::stream::change::SourceKind;

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
