//! Every order in which Kafka may deliver a transaction's pieces.

use super::*;

pub const WHOLE_TRANSACTIONS: [&str; 3] = [
    "0-1-188: checkpoint Update, checkpoint Update",
    "0-1-189: balance Insert, entry Insert, entry Insert, outbox Insert",
    "0-1-190: outbox Delete",
];

pub struct SeededRandom(pub u64);

impl SeededRandom {
    /// The seed of `SLUICE_SEED`, or another each time; it is printed.
    pub fn said() -> Self {
        let given = std::env::var("SLUICE_SEED").ok();
        let given = given.and_then(|s| s.parse().ok());
        let seed = given.unwrap_or(u64::from(std::process::id()));
        println!("seed {seed} (set SLUICE_SEED to play it again)");
        SeededRandom(seed)
    }

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
    let mut dice = SeededRandom::said();
    let log = captured();
    for _ in 0..300 {
        // The connector may tell everything again, behind what it told before.
        let mut log = log.clone();
        if dice.below(2) == 0 {
            log.values_mut()
                .for_each(|messages| messages.extend(messages.clone()));
        }
        let (out, one) = replayed(&log, &mut dice, drain);
        assert_eq!(out, WHOLE_TRANSACTIONS);
        assert!(one.waits_for().is_none() && one.waiting() == 0);
    }
}
