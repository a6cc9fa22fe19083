//! Restoration of an evaluator from written state, as if it had never ended.

use crate::rules::frozen::state_frames::StateSections;
use crate::rules::memory::replay_marks::ReplayMarks;
use crate::rules::runtime::call_context::KnownBalances;
use crate::rules::runtime::rule_set::CompiledRule;
use crate::rules::stream::evaluator::Evaluator;
use crate::rules::stream::frozen_evaluator::{LAYOUT_VERSION, STREAM_SECTIONS, trigger_digest};
use crate::rules::stream::memory_shares::{memory_shares, new_memory};
use crate::rules::stream::swap::has_columns;
use crate::stream::offsets::PartitionOffsets;
use crate::stream::wire::ByteReader;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

/// A rule of the written state.
struct WrittenRule<'a> {
    trigger: &'a str,
    /// Number of the section with what it kept.
    section: usize,
}

/// Rules of a set by what became of their memory; ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoredRules {
    pub restored: Vec<String>,
    /// Begin anew, since nothing was written of them, or of another trigger.
    pub anew: Vec<String>,
}

impl Evaluator {
    /// Takes over the written state; this evaluator has seen nothing yet. A rule of which
    /// nothing fits begins anew, as one does that comes with another set.
    ///
    /// # Errors
    /// What is not as it was written; the evaluator is of no use then.
    pub fn restore(&mut self, state: &StateSections) -> Result<RestoredRules, &'static str> {
        let words = self.restore_head(state).ok_or("its clocks")?;
        for source in [0, 1] {
            self.marks[source] = ReplayMarks::read(state.section(1 + source)).ok_or("its marks")?;
        }
        self.transactions
            .restore(state.section(3))
            .ok_or("its known transactions, or this build hashes in another way")?;
        self.events
            .restore(state.section(4))
            .ok_or("its known events")?;
        let balances = KnownBalances::read(state.section(5)).ok_or("its balances")?;
        if self.learns {
            *self.balances.lock().unwrap_or_else(PoisonError::into_inner) = balances;
        }
        self.restore_rules(state, &words)
    }

    fn restore_head(&mut self, state: &StateSections) -> Option<BTreeSet<String>> {
        let mut head = ByteReader(state.section(0).next()?);
        if head.number()? != LAYOUT_VERSION {
            return None;
        }
        self.watermarks = [head.maybe()?, head.maybe()?];
        self.first = [head.maybe()?, head.maybe()?];
        let is_live = head.flag()?;
        let kafka_from_us = head.maybe()?;
        self.live = is_live.then_some(kafka_from_us);
        let judged = head.maybe_text()?.map(PartitionOffsets::parse);
        self.judged = judged.transpose().ok()?;
        self.gap_marked = [head.flag()?, head.flag()?];
        let words = (0..head.size()?).map(|_| head.text().map(str::to_owned));
        words.collect()
    }

    fn restore_rules(
        &mut self,
        state: &StateSections,
        words: &BTreeSet<String>,
    ) -> Result<RestoredRules, &'static str> {
        let written = written_rules(state).ok_or("the names of its rules")?;
        let now_us = self.watermarks.iter().flatten().max().copied();
        let shares = memory_shares(&self.set, self.selection);
        let mut told = RestoredRules::default();
        for rule in self.remember.clone() {
            let (called, memory) = (&self.set.rules[rule], &mut self.memories[rule]);
            let id = called.header.id.clone();
            let known = written.get(id.as_str());
            let fits =
                known.filter(|known| fits(known, called) && has_columns(memory, called, words));
            match fits {
                Some(known) => {
                    memory
                        .restore(&mut self.holds, state.section(known.section))
                        .ok_or("what a rule kept")?;
                    told.restored.push(id);
                }
                None => {
                    *memory = new_memory(called, shares[rule], now_us);
                    memory.begin_late();
                    told.anew.push(id);
                }
            }
        }
        Ok(told)
    }
}

fn fits(known: &WrittenRule<'_>, rule: &CompiledRule) -> bool {
    known.trigger == trigger_digest(rule)
}

/// Rules of the state by id: armed ones, of which no two have the same.
fn written_rules(state: &StateSections) -> Option<BTreeMap<&str, WrittenRule<'_>>> {
    let mut rules = BTreeMap::new();
    for section in (STREAM_SECTIONS..state.len()).step_by(2) {
        let mut head = ByteReader(state.section(section).next()?);
        let (id, _hash, trigger) = (head.text()?, head.text()?, head.text()?);
        let section = section + 1;
        rules.insert(id, WrittenRule { trigger, section });
    }
    Some(rules)
}
