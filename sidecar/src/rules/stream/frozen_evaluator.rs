//! State of an evaluator, frozen: as it was at one moment, while evaluation goes on.
//!
//! Sections: words and clocks; marks of both sources; known transactions and events;
//! balances; then two for each rule that remembers something, who it is and what it keeps.

use crate::rules::frozen::state_frames::FrameSink;
use crate::rules::memory::replay_marks::ReplayMarks;
use crate::rules::memory::watermarks::SourceWatermarks;
use crate::rules::runtime::call_context::KnownBalances;
use crate::rules::runtime::rule_set::CompiledRule;
use crate::rules::stream::dedup::FrozenDedup;
use crate::rules::stream::evaluator::Evaluator;
use crate::rules::trigger::rule_memory::FrozenMemory;
use crate::stream::offsets::PartitionOffsets;
use crate::stream::value_codec::{put_maybe, put_maybe_text};
use crate::stream::wire::{put_number, put_text};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, PoisonError};

/// Version of the layout; another one is not read.
pub(super) const LAYOUT_VERSION: u64 = 2;
/// Sections before those of rules.
pub(super) const STREAM_SECTIONS: usize = 6;

/// A rule and what it kept.
#[derive(Debug)]
struct FrozenRule {
    id: String,
    hash: String,
    trigger: String,
    memory: FrozenMemory,
}

/// All that evaluators of one stream remember.
#[derive(Debug)]
pub struct FrozenEvaluator {
    words: Arc<BTreeSet<String>>,
    watermarks: SourceWatermarks,
    first: SourceWatermarks,
    live: Option<Option<i64>>,
    judged: Option<String>,
    gap_marked: [bool; 2],
    marks: [ReplayMarks; 2],
    transactions: FrozenDedup,
    events: FrozenDedup,
    balances: KnownBalances,
    rules: Vec<FrozenRule>,
}

/// The trigger of a rule, by which its memory is known again: 32 hex digits.
pub(super) fn trigger_digest(rule: &CompiledRule) -> String {
    let trigger = format!("{:?}", rule.header.trigger);
    hex::encode(&Sha256::digest(trigger)[..16])
}

impl Evaluator {
    /// The state as it is now: what is kept is shared until it is written to.
    pub fn freeze(&self) -> FrozenEvaluator {
        let rules = self.set.rules.iter().zip(&self.memories);
        let frozen = rules.filter_map(|(rule, memory)| {
            Some(FrozenRule {
                id: rule.header.id.clone(),
                hash: rule.hash.clone(),
                trigger: trigger_digest(rule),
                memory: memory.freeze()?,
            })
        });
        FrozenEvaluator {
            words: Arc::clone(&self.set.words),
            watermarks: self.watermarks,
            first: self.first,
            live: self.live,
            judged: self.judged.as_ref().map(PartitionOffsets::render),
            gap_marked: self.gap_marked,
            marks: self.marks.clone(),
            transactions: self.transactions.freeze(),
            events: self.events.freeze(),
            balances: match self.learns {
                true => self
                    .balances
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone(),
                false => KnownBalances::default(),
            },
            rules: frozen.collect(),
        }
    }
}

impl FrozenEvaluator {
    /// Adds the rules and marks of another worker over the same inputs.
    pub fn join(&mut self, other: FrozenEvaluator) {
        self.rules.extend(other.rules);
        for (ours, theirs) in self.marks.iter_mut().zip(other.marks) {
            ours.join(theirs);
        }
    }

    /// Writes all sections; what is written is freed.
    pub fn write(self, out: &mut dyn FrameSink) -> io::Result<()> {
        let mut head = Vec::new();
        put_number(&mut head, LAYOUT_VERSION);
        for us in self.watermarks.into_iter().chain(self.first) {
            put_maybe(&mut head, us);
        }
        head.push(u8::from(self.live.is_some()));
        put_maybe(&mut head, self.live.flatten());
        put_maybe_text(&mut head, self.judged.as_deref());
        head.extend(self.gap_marked.map(u8::from));
        put_number(&mut head, self.words.len() as u64);
        self.words.iter().for_each(|word| put_text(&mut head, word));
        out.frame(&head)?;
        out.frame(&[])?;
        self.marks.iter().try_for_each(|marks| marks.write(out))?;
        self.transactions.write(out)?;
        self.events.write(out)?;
        self.balances.write(out)?;
        for rule in self.rules {
            let mut head = Vec::new();
            for text in [&rule.id, &rule.hash, &rule.trigger] {
                put_text(&mut head, text);
            }
            out.frame(&head)?;
            out.frame(&[])?;
            rule.memory.write(out)?;
        }
        Ok(())
    }
}
