//! Pairs whose other half may lie where nobody looks: nothing is said to be missing.

use super::tests::{Folder, at, rule, run, violations};
use super::tests_pairs::{BODY, SIDES, booked, clocks};
use super::{Finding, Outcome, UNKNOWN};
use crate::change::Source;
use std::sync::Arc;

/// Each finding's outcome, item, account and number of breakers.
fn said(found: &[Finding]) -> Vec<(Outcome, &str, &str, usize)> {
    found.iter().map(|f| (f.outcome, f.item.as_str(), f.account.as_str(), f.breakers.len())).collect()
}

const NOT_KNOWN: (Outcome, &str, &str, usize) = (Outcome::Undetermined, UNKNOWN, "A-1", 0);

#[test]
fn a_rule_that_begins_says_nothing_for_as_long_as_a_partner_is_kept() {
    let none = rule("q", super::tests::ON_BALANCE, "fn check(row) {}");
    let mut evaluator = Folder::of(&[("q.rhai", &none)]).evaluator();
    run(&mut evaluator, &clocks(1_000));
    let text = rule("p", &format!("{SIDES}require = \"right\""), BODY);
    evaluator.swap(Arc::new(Folder::of(&[("p.rhai", &text)]).load().unwrap()));
    // Its event came 12 s before, which is within keep_ms, and before the rule was there.
    run(&mut evaluator, &clocks(12_900));
    run(&mut evaluator, &[booked("0-1-1", "P-1", "5"), at(Source::Binlog, 13_000)]);
    let found = run(&mut evaluator, &clocks(18_100));
    assert_eq!(said(&found), [NOT_KNOWN]);
    assert!(evaluator.errors().is_empty(), "the rule did nothing wrong");
    // Past keep_ms of its beginning it speaks.
    run(&mut evaluator, &clocks(21_000));
    run(&mut evaluator, &[booked("0-1-2", "P-2", "5"), at(Source::Binlog, 21_100)]);
    assert_eq!(violations(&run(&mut evaluator, &clocks(26_200))), ["p A-1 gone"]);
}
