//! Lag of a source: said once for each episode.

use crate::rules::UNKNOWN_ITEM;
use crate::rules::pair_tests::DELAYED_PAIR;
use crate::rules::runtime::finding::FindingOutcome;
use crate::rules::tests::{TestRuleFolder, at, deposit, payment, rule, run, transaction};
use crate::stream::change::{RuleInput, SourceKind};

#[test]
fn a_source_that_lags_is_told_once_per_episode() {
    let body = "fn check(l, r) {} fn missing(l) { violation(l.account_id, l.biz_no, \"gone\") }";
    let text = rule("p", &DELAYED_PAIR.replace("delay_ms = 2000\n", ""), body);
    let mut evaluator = TestRuleFolder::of(&[("p.rhai", &text)]).evaluator();
    let mut step = |inputs: &[RuleInput]| {
        let found = run(&mut evaluator, inputs);
        let said: Vec<_> = found
            .iter()
            .map(|f| (f.outcome, f.item.clone(), f.breakers.len()))
            .collect();
        (said, evaluator.lagging(), evaluator.errors().len())
    };
    let first = [
        payment("e", 1, "A", "P-1", "5"),
        at(SourceKind::Binlog, 1_000),
        at(SourceKind::Kafka, 1_000),
    ];
    assert_eq!(step(&first), (vec![], 0, 0));
    assert_eq!(
        step(&[at(SourceKind::Kafka, 36_000)]),
        (vec![], 0, 0),
        "the first one after a pause"
    );
    let lags = vec![(FindingOutcome::Undetermined, UNKNOWN_ITEM.to_owned(), 0)];
    assert_eq!(step(&[at(SourceKind::Kafka, 36_100)]), (lags.clone(), 1, 0));
    assert_eq!(
        step(&[at(SourceKind::Kafka, 90_000), at(SourceKind::Binlog, 5_999)]),
        (vec![], 1, 0),
        "said once"
    );
    let gone = vec![(FindingOutcome::Violation, "P-1".to_owned(), 1)];
    assert_eq!(
        step(&[at(SourceKind::Binlog, 6_000)]),
        (gone, 0, 0),
        "decided as always"
    );
    assert_eq!(
        step(&[
            payment("f", 2, "A", "P-2", "5"),
            at(SourceKind::Kafka, 90_100)
        ]),
        (vec![], 0, 0)
    );
    assert_eq!(
        step(&[
            at(SourceKind::Kafka, 130_000),
            at(SourceKind::Kafka, 130_100)
        ]),
        (lags, 1, 0),
        "another episode"
    );
    let met = [
        transaction("0-1-1", vec![deposit("A", "P-2", "5")]),
        at(SourceKind::Binlog, 130_100),
    ];
    assert_eq!(step(&met), (vec![], 0, 0));
}
