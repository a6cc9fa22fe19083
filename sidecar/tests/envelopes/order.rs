//! Every order in which Kafka may deliver a transaction's pieces.

use super::*;
use sluice_sidecar::stream::offsets::PartitionOffsets;

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

/// The log as a connector writes it that was stopped within a transaction: `saved` of its
/// changes were, `told` had been told. It begins again, leaves out what was saved, and counts
/// the rest from 1.
fn stopped_within(log: &CapturedTopics, saved: u64, told: u64) -> CapturedTopics {
    let mut stopped = CapturedTopics::new();
    for (topic, messages) in log {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for message in messages {
            let Some(text) = message.as_deref().filter(|text| text.contains("0-1-189")) else {
                let done = after.is_empty();
                if done { &mut before } else { &mut after }.push(message.clone());
                continue;
            };
            let mut json: serde_json::Value = serde_json::from_str(text).unwrap();
            if json["status"] == "BEGIN" {
                before.extend([message.clone(), message.clone()]);
            } else if json["status"] == "END" {
                json["data_collections"] = serde_json::json!([
                    {"data_collection": "sluice_orders.outbox", "event_count": 1}
                ]);
                after.push(Some(json.to_string()));
            } else {
                let order = json["transaction"]["total_order"].as_u64().unwrap();
                if order <= told {
                    before.push(message.clone());
                }
                if order > saved {
                    json["transaction"]["total_order"] = (order - saved).into();
                    after.push(Some(json.to_string()));
                }
            }
        }
        before.extend(after);
        stopped.insert(topic.clone(), before);
    }
    stopped
}

#[test]
fn a_connector_that_was_stopped_within_a_transaction_loses_and_doubles_nothing() {
    let mut dice = SeededRandom(u64::from(std::process::id()));
    for round in 0..300 {
        let saved = dice.below(4) as u64;
        let told = saved + dice.below(5 - saved as usize) as u64;
        let log = stopped_within(&captured(), saved, told);
        let mut out = Vec::new();
        let mut one = assembler("");
        let mut next: BTreeMap<&str, usize> = log.keys().map(|topic| (topic.as_str(), 0)).collect();
        loop {
            if one.wants_ends() {
                let mut ends = PartitionOffsets::default();
                for (topic, messages) in &log {
                    ends.set(topic, 0, messages.len() as i64);
                }
                one.set_ends(ends);
            }
            drain(&mut one, &mut out);
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
            if dice.below(6) == 0 {
                let position = one.position();
                one = assembler(&position);
                for (topic, at) in &mut next {
                    *at = one.read().next(topic, 0).map_or(0, |next| next as usize);
                }
            }
        }
        assert_eq!(
            out, WHOLE_TRANSACTIONS,
            "round {round}: {saved} saved, {told} told"
        );
    }
}
