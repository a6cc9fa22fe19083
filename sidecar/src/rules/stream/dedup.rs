//! Deduplication: inputs that came lately are known, so that a redelivery is recognised.

use ahash::{AHashSet, RandomState};
use std::collections::VecDeque;
use std::hash::Hash;

/// A bounded set of fingerprints; the oldest is forgotten first.
#[derive(Debug)]
pub struct DedupSet {
    max_len: usize,
    hashers: [RandomState; 2],
    known: AHashSet<u128>,
    order: VecDeque<u128>,
}

impl DedupSet {
    pub fn new(max_len: usize) -> Self {
        DedupSet {
            max_len,
            hashers: [RandomState::new(), RandomState::new()],
            known: AHashSet::new(),
            order: VecDeque::new(),
        }
    }

    /// Remembers `thing`; false if it was known already. 128 bits under random
    /// keys: an accidental or forged match is out of reach.
    pub fn is_new(&mut self, thing: &impl Hash) -> bool {
        let [high, low] = [0, 1].map(|n: usize| u128::from(self.hashers[n].hash_one(thing)));
        let print = (high << 64) | low;
        if !self.known.insert(print) {
            return false;
        }
        self.order.push_back(print);
        if self.order.len() > self.max_len
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}
