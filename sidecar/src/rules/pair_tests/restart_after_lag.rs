//! A restart after one source lagged: what had met is met again.

use crate::rules::Evaluator;
use crate::rules::pair_tests::{booked, needs, pair};
use crate::rules::runtime::finding::Finding;
use crate::rules::tests::{at, payment, run, violations};
use crate::stream::change::{ReceivedEvent, RuleInput, SourceKind};
use std::sync::Arc;

fn position(input: &RuleInput) -> Option<&str> {
    match input {
        RuleInput::Transaction(transaction) => Some(&transaction.position),
        RuleInput::Event(event) => Some(&event.position),
        RuleInput::AtRest(_) | RuleInput::Watermark { .. } => None,
    }
}

/// Findings of a new life that begins where `old` needs it, and how much it reads again.
fn restarted(old: &Evaluator, all: &[RuleInput], now_ms: i64) -> (Vec<Finding>, usize) {
    let [binlog, kafka] = needs(old);
    let from = |needed: Option<String>| {
        all.iter()
            .position(|input| needed.is_some() && position(input) == needed.as_deref())
            .unwrap_or(all.len())
    };
    let (binlog, kafka) = (from(binlog), from(kafka));
    let of_binlog = |input: &&RuleInput| {
        matches!(
            input,
            RuleInput::Transaction(_)
                | RuleInput::Watermark {
                    source: SourceKind::Binlog,
                    ..
                }
        )
    };
    let events = all[kafka..]
        .iter()
        .filter(|input| matches!(input, RuleInput::Event(_)));
    // Kafka has no old watermarks: its events are all there at once.
    let again: Vec<RuleInput> = events
        .chain(all[binlog..].iter().filter(of_binlog))
        .cloned()
        .collect();
    let mut new = pair("left");
    new.begins(None, None);
    let mut found = run(&mut new, &again);
    for ms in [now_ms, now_ms + 6_000] {
        found.extend(run(
            &mut new,
            &[at(SourceKind::Kafka, ms), at(SourceKind::Binlog, ms)],
        ));
    }
    (found, again.len())
}

/// Sent, and said to have happened, only when Kafka was back.
fn sent(n: u32, ms: i64) -> RuleInput {
    let RuleInput::Event(event) = payment(&format!("e{n}"), n, "A-1", &format!("P-{n}"), "5")
    else {
        unreachable!()
    };
    let mut body = event.body.clone();
    body.occurred_us = ms * 1_000;
    RuleInput::Event(Arc::new(ReceivedEvent {
        position: Arc::clone(&event.position),
        body,
    }))
}

#[test]
fn a_restart_after_kafka_lagged_accuses_nothing_that_had_met() {
    let (mut old, mut all) = (pair("left"), Vec::new());
    let mut come = |inputs: &[RuleInput]| {
        all.extend_from_slice(inputs);
        let found = run(&mut old, inputs);
        assert!(violations(&found).is_empty(), "{found:?}");
    };
    come(&[at(SourceKind::Kafka, 500)]);
    let row = |n: u32| {
        [
            booked(&format!("0-1-{n}"), &format!("P-{n}"), "5"),
            at(SourceKind::Binlog, i64::from(n) * 1_000),
        ]
    };
    (1..=60).for_each(|n| come(&row(n)));
    // It is back: the oldest rows are past keep_ms at once, their events are new.
    (1..=60).for_each(|n| come(&[sent(n, 60_000)]));
    come(&[at(SourceKind::Kafka, 60_500)]);
    for n in 61..=75 {
        come(&[sent(n, i64::from(n) * 1_000)]);
        come(&row(n));
        come(&[at(SourceKind::Kafka, i64::from(n) * 1_000)]);
    }
    let (found, _) = restarted(&old, &all, 76_000);
    assert!(
        found.is_empty(),
        "{} accused, the first {:?}",
        found.len(),
        found.first()
    );
    // Long afterwards nothing of it is read again.
    for n in 76..=200 {
        let ms = i64::from(n) * 1_000;
        let more = [
            sent(n, ms),
            row(n)[0].clone(),
            at(SourceKind::Binlog, ms),
            at(SourceKind::Kafka, ms),
        ];
        all.extend_from_slice(&more);
        assert!(run(&mut old, &more).is_empty());
    }
    let (found, read) = restarted(&old, &all, 201_000);
    assert!(found.is_empty() && read < 150, "{read} inputs, {found:?}");
}
