//! Money that breakers would have held, and rules compared with what they were.

use crate::backtest::BacktestOptions;
use crate::backtest::tests::recording::{SECOND_US, day, written};
use crate::backtest::tests::{limit, set, trial, tried};
use std::sync::Arc;

#[test]
fn an_edited_rule_newly_fires_no_longer_fires_and_holds() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &day());
    let (narrow, wide) = (set(vec![limit(1_000)]), set(vec![limit(500)]));
    let (report, lines) = tried(
        dir.path(),
        &trial(Arc::clone(&wide), Some(Arc::clone(&narrow))),
    );
    let rule = &report.rules[0];
    assert_eq!(
        (rule.new, rule.gone, rule.same, rule.now.violations),
        (1, 0, 1, 2)
    );
    assert_eq!(rule.new_examples[0].account_id, "A1");
    assert_eq!(lines.lines().count(), 2);
    let sums = |held: &crate::backtest::what_if::BreakerEffects| {
        held.held
            .iter()
            .map(|(currency, sum)| format!("{} {} {currency}", sum.orders, sum.amount))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        sums(&report.held),
        ["2 2600 CNY"],
        "each order once, and none after the reset"
    );
    assert_eq!(sums(report.held_then.as_ref().unwrap()), ["1 2000 CNY"]);
    let told: Vec<_> = report
        .held
        .openings
        .iter()
        .map(|o| {
            (
                o.breaker.as_str(),
                o.from_us / SECOND_US,
                o.until_us / SECOND_US,
                o.closed_by,
                o.longest_us / SECOND_US,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("cash_out/account/A1", 1, 20, "end", 17),
            ("cash_out/account/A2", 4, 8, "person", 3)
        ]
    );
    let (back, _) = tried(dir.path(), &trial(narrow, Some(wide)));
    assert_eq!(
        (back.rules[0].new, back.rules[0].gone, back.rules[0].same),
        (0, 1, 1)
    );
}

#[test]
fn a_breaker_resumes_after_the_time_that_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &day());
    let trial = BacktestOptions {
        resume_after_us: Some(5 * SECOND_US),
        ..trial(set(vec![limit(500)]), None)
    };
    let (report, _) = tried(dir.path(), &trial);
    let told: Vec<_> = report
        .held
        .openings
        .iter()
        .map(|o| (o.until_us / SECOND_US, o.closed_by))
        .collect();
    assert_eq!(told, [(6, "resume"), (8, "person")]);
    assert!(report.against.is_none() && report.rules[0].then.is_none() && report.rules[0].new == 0);
}
