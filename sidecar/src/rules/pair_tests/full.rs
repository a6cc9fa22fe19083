//! A pair rule's log that is full: what it forgets was not checked, so its money waits.

use crate::rules::UNKNOWN_ITEM;
use crate::rules::pair_memory::overflow::MAX_KEPT_SIDES;
use crate::rules::pair_tests::{booked, clocks, pair};
use crate::rules::runtime::finding::{Finding, FindingOutcome};
use crate::rules::tests::{at, payment, run};
use crate::stream::change::{RuleInput, SourceKind};

/// The breaker that each finding opens; all are undetermined and nobody's error.
fn stopped(found: &[Finding]) -> Vec<String> {
    assert!(
        found
            .iter()
            .all(|f| f.outcome == FindingOutcome::Undetermined && f.item == UNKNOWN_ITEM),
        "{found:#?}"
    );
    found
        .iter()
        .map(|f| f.breakers.iter().map(ToString::to_string).collect())
        .collect()
}

/// Deposits from number `from` on, each of its own account.
fn deposits(from: usize, count: usize) -> Vec<RuleInput> {
    let one = |n: usize| {
        payment(
            &format!("e{n}"),
            n as u32,
            &format!("A-{n}"),
            &format!("P-{n}"),
            "5",
        )
    };
    (from..from + count).map(one).collect()
}

#[test]
fn what_is_forgotten_while_it_waits_stops_its_account_and_too_many_stop_everybody() {
    let mut evaluator = pair("left");
    run(&mut evaluator, &clocks(1_000));
    assert!(run(&mut evaluator, &deposits(0, MAX_KEPT_SIDES)).is_empty());
    assert_eq!(
        (evaluator.holds().len(), evaluator.open_pairs()),
        (MAX_KEPT_SIDES, MAX_KEPT_SIDES)
    );
    let found = stopped(&run(&mut evaluator, &deposits(MAX_KEPT_SIDES, 3)));
    assert_eq!(
        found,
        [
            "",
            "cash_out/account/A-0",
            "cash_out/account/A-1",
            "cash_out/account/A-2"
        ]
    );
    assert_eq!(evaluator.holds().len(), MAX_KEPT_SIDES);
    // One word of the log, so that somebody is told; none of each thing that is forgotten.
    assert_eq!(evaluator.errors().len(), 1);
    let found = stopped(&run(&mut evaluator, &deposits(MAX_KEPT_SIDES + 3, 150)));
    assert_eq!(
        (found.len(), found[96].as_str(), found[97].as_str()),
        (98, "cash_out/account/A-99", "cash_out/all/*")
    );
    assert!(evaluator.errors().is_empty());
    // It is said anew once what was kept then is gone.
    run(&mut evaluator, &[at(SourceKind::Kafka, 30_000)]);
    let found = stopped(&run(&mut evaluator, &deposits(MAX_KEPT_SIDES + 153, 1)));
    assert_eq!(found, ["", "cash_out/account/A-153"]);
}

#[test]
fn what_misses_a_partner_that_may_be_forgotten_waits_too() {
    let mut evaluator = pair("right");
    run(&mut evaluator, &clocks(1_000));
    let found = run(&mut evaluator, &deposits(0, MAX_KEPT_SIDES + 2));
    assert_eq!(
        stopped(&found),
        [""],
        "nothing that is required was forgotten"
    );
    run(&mut evaluator, &[booked("0-1-1", "P-0", "5")]);
    run(&mut evaluator, &clocks(2_000));
    // Neither accused nor let go.
    assert_eq!(
        stopped(&run(&mut evaluator, &clocks(7_000))),
        ["cash_out/account/A-1"]
    );
}
