//! Deduplication: inputs that came lately are known, so that a redelivery is recognised.

use crate::rules::frozen::state_frames::{FRAME_BYTES, FrameSink, hand_on};
use crate::stream::wire::ByteReader;
use ahash::{AHashSet, RandomState};
use std::collections::VecDeque;
use std::hash::Hash;
use std::io;

/// Seeds of both hash functions.
type HashSeeds = [[u64; 4]; 2];
/// A text whose fingerprint tells whether the hash functions are those of the writer.
const PROBE: &str = "sluice";

/// A bounded set of fingerprints; the oldest is forgotten first.
#[derive(Debug)]
pub struct DedupSet {
    max_len: usize,
    seeds: HashSeeds,
    hashers: [RandomState; 2],
    known: AHashSet<u128>,
    order: VecDeque<u128>,
}

/// Fingerprints as they were at one moment.
#[derive(Debug)]
pub struct FrozenDedup {
    seeds: HashSeeds,
    probe: u128,
    order: VecDeque<u128>,
}

fn hashers(seeds: &HashSeeds) -> [RandomState; 2] {
    seeds.map(|[a, b, c, d]| RandomState::with_seeds(a, b, c, d))
}

fn fingerprint(hashers: &[RandomState; 2], thing: &impl Hash) -> u128 {
    let [high, low] = [0, 1].map(|n: usize| u128::from(hashers[n].hash_one(thing)));
    (high << 64) | low
}

impl DedupSet {
    pub fn new(max_len: usize) -> Self {
        let seeds = std::array::from_fn(|_| std::array::from_fn(|_| rand::random()));
        DedupSet {
            max_len,
            seeds,
            hashers: hashers(&seeds),
            known: AHashSet::new(),
            order: VecDeque::new(),
        }
    }

    /// Remembers `thing`; false if it was known already. 128 bits under random
    /// keys: an accidental or forged match is out of reach.
    pub fn is_new(&mut self, thing: &impl Hash) -> bool {
        let print = fingerprint(&self.hashers, thing);
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

    /// A copy of all fingerprints, 16 bytes each.
    pub fn freeze(&self) -> FrozenDedup {
        FrozenDedup {
            seeds: self.seeds,
            probe: fingerprint(&self.hashers, &PROBE),
            order: self.order.clone(),
        }
    }

    /// Takes over what [`FrozenDedup::write`] wrote. None if it is not that, or if this build
    /// or machine has other hash functions.
    pub fn restore<'a>(&mut self, mut frames: impl Iterator<Item = &'a [u8]>) -> Option<()> {
        let mut head = ByteReader(frames.next()?);
        let mut word = || Some(u64::from_le_bytes(head.take(8)?.try_into().ok()?));
        let mut words = [0; 8];
        for at in &mut words {
            *at = word()?;
        }
        let [a, b, c, d, e, f, g, h] = words;
        self.seeds = [[a, b, c, d], [e, f, g, h]];
        self.hashers = hashers(&self.seeds);
        let probe = u128::from(word()?) | u128::from(word()?) << 64;
        if probe != fingerprint(&self.hashers, &PROBE) {
            return None;
        }
        for frame in frames {
            for print in frame.chunks_exact(16) {
                let print = u128::from_le_bytes(print.try_into().ok()?);
                self.known.insert(print);
                self.order.push_back(print);
            }
        }
        Some(())
    }
}

impl FrozenDedup {
    pub fn write(&self, out: &mut dyn FrameSink) -> io::Result<()> {
        let mut frame = Vec::new();
        for word in self.seeds.iter().flatten() {
            frame.extend_from_slice(&word.to_le_bytes());
        }
        frame.extend_from_slice(&self.probe.to_le_bytes());
        hand_on(out, &mut frame, 0)?;
        for print in &self.order {
            frame.extend_from_slice(&print.to_le_bytes());
            hand_on(out, &mut frame, FRAME_BYTES)?;
        }
        hand_on(out, &mut frame, 0)?;
        out.frame(&[])
    }
}
