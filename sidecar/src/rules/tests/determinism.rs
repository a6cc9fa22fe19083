//! Determinism: the same inputs give the same findings under the same ids.

use crate::rules::Evaluator;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::tests::{at, balance, deposit, key, payment, run, shipped, transaction};
use crate::stream::change::{RuleInput, SourceKind};
use std::sync::Arc;

/// A stream in which every source and several rules have their say.
fn stream() -> Vec<RuleInput> {
    let mut inputs = vec![at(SourceKind::Binlog, 1_000), at(SourceKind::Kafka, 1_000)];
    for n in 0..40u32 {
        let (account, number) = (format!("A-{}", n % 7), format!("P-{n}"));
        let changes = vec![
            deposit(&account, &number, "5.00"),
            balance(&account, "7.01", "7"),
        ];
        inputs.push(transaction(&format!("0-1-{n}"), changes));
        if n % 3 == 0 {
            inputs.push(payment(&format!("e{n}"), n, &account, &number, "5.01"));
        }
        inputs.push(at(SourceKind::Binlog, 1_000 + i64::from(n) * 200));
        inputs.push(at(SourceKind::Kafka, 1_000 + i64::from(n) * 200));
    }
    inputs
}

#[test]
fn the_same_inputs_give_the_same_findings() {
    let once = || {
        let mut evaluator = Evaluator::new(Arc::new(RuleSet::load(&shipped(), key()).unwrap()));
        format!("{:?}", run(&mut evaluator, &stream()))
    };
    let first = once();
    assert!(
        first.contains("booking_has_payment")
            && first.contains("deposit_is_booked")
            && first.contains("provenance")
    );
    assert_eq!(first, once());
}

#[test]
fn a_verdict_is_known_by_rule_position_and_item() {
    let mut evaluator = Evaluator::new(Arc::new(RuleSet::load(&shipped(), key()).unwrap()));
    let bad = transaction("0-1-5", vec![balance("A-1", "2", "1")]);
    let once = run(&mut evaluator, std::slice::from_ref(&bad));
    let again = run(&mut evaluator, &[bad]);
    assert_eq!(once, again);
    let other = run(
        &mut evaluator,
        &[transaction("0-1-6", vec![balance("A-1", "2", "1")])],
    );
    assert_eq!(other.len(), once.len());
    assert!(
        once.iter()
            .zip(&other)
            .all(|(a, b)| a.verdict_id != b.verdict_id && a.verdict_id.len() == 32)
    );
    assert!(
        once.iter()
            .all(|f| f.rule_hash.len() == 16 && !f.breakers.is_empty())
    );
}
