//! Pairs whose other half may lie where nobody looks: nothing is said to be missing.

use super::tests::{Folder, at, payment, rule, run, violations};
use super::tests_pairs::{BODY, SIDES, booked, clocks, pair};
use super::{Finding, Outcome, UNKNOWN};
use crate::change::{Event, Input, Source};
use std::sync::Arc;

/// Each finding's outcome, item, account and number of breakers.
fn said(found: &[Finding]) -> Vec<(Outcome, &str, &str, usize)> {
    found.iter().map(|f| (f.outcome, f.item.as_str(), f.account.as_str(), f.breakers.len())).collect()
}

const NOT_KNOWN: (Outcome, &str, &str, usize) = (Outcome::Undetermined, UNKNOWN, "A-1", 0);

/// A deposit told with the time when it happened.
fn told(id: &str, offset: u32, biz_no: &str, occurred_ms: i64) -> Input {
    let Input::Event(event) = payment(id, offset, "A-1", biz_no, "5") else { unreachable!() };
    let mut body = event.body.clone();
    body.occurred_us = occurred_ms * 1_000;
    Input::Event(Arc::new(Event { position: Arc::clone(&event.position), body }))
}

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

#[test]
fn an_event_told_long_after_it_happened_cant_be_missed_by_its_row() {
    let mut evaluator = pair("left");
    run(&mut evaluator, &clocks(1_000));
    run(&mut evaluator, &[told("e1", 1, "P-1", 900), booked("0-1-1", "P-1", "5")]);
    run(&mut evaluator, &clocks(2_000));
    // An hour later the upstream tells it again, under an id that is not known any more.
    let late = 3_600_000;
    run(&mut evaluator, &clocks(late));
    run(&mut evaluator, &[told("e1-again", 2, "P-1", 900), told("e2", 3, "P-2", late)]);
    run(&mut evaluator, &clocks(late + 100));
    let found = run(&mut evaluator, &clocks(late + 6_000));
    // What happened just now is judged as always.
    assert_eq!(said(&found), [NOT_KNOWN, (Outcome::Violation, "gone", "A-1", 1)]);
    assert!(evaluator.errors().is_empty());
}
