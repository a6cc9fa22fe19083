//! Every order in which Kafka may deliver a transaction's pieces.

use super::*;

pub const WHOLE_TRANSACTIONS: [&str; 3] = [
    "0-1-188: checkpoint Update, checkpoint Update",
    "0-1-189: balance Insert, entry Insert, entry Insert, outbox Insert",
    "0-1-190: outbox Delete",
];

pub struct SeededRandom(pub u64);

impl SeededRandom {
    pub fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
}

#[test]
fn whatever_the_order_of_topics_and_restarts_transactions_are_whole_and_once() {
    let seed = std::env::var("SLUICE_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(u64::from(std::process::id()));
    println!("seed {seed} (set SLUICE_SEED to play it again)");
    let mut dice = SeededRandom(seed);
    let log = captured();
    for _ in 0..300 {
        // The connector may tell everything again, behind what it told before.
        let mut log = log.clone();
        if dice.below(2) == 0 {
            log.values_mut()
                .for_each(|messages| messages.extend(messages.clone()));
        }
        let mut out = Vec::new();
        let mut one = assembler("");
        let mut next: BTreeMap<&str, usize> = log.keys().map(|topic| (topic.as_str(), 0)).collect();
        loop {
            let open: Vec<&str> = next
                .iter()
                .filter(|(t, at)| **at < log[**t].len())
                .map(|(t, _)| *t)
                .collect();
            if open.is_empty() {
                break;
            }
            let topic = open[dice.below(open.len())];
            let at = next[topic];
            take(&mut one, topic, at as i64, &log[topic][at]).unwrap();
            next.insert(topic, at + 1);
            drain(&mut one, &mut out);
            if dice.below(6) == 0 {
                // A crash: whatever was not handed over is read again.
                let position = one.position();
                one = assembler(&position);
                for (topic, at) in &mut next {
                    *at = one.read().next(topic, 0).map_or(0, |next| next as usize);
                }
            }
        }
        assert_eq!(out, WHOLE_TRANSACTIONS);
        assert!(one.waits_for().is_none() && one.waiting() == 0);
    }
}
