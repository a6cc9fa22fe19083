//! Halves that meet: one verdict in either order, whatever comes twice.

use crate::rules::pair_tests::{booked, clocks, pair};
use crate::rules::tests::{payment, run, violations};

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
