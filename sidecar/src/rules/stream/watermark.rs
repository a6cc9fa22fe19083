//! Watermarks: time passes for all memories, and the marks for a restart move on.

use crate::rules::memory::read_bounds::ReadBounds;
use crate::rules::memory::source_clock::SourceClock;
use crate::rules::memory::watermarks::source_index;
use crate::rules::runtime::finding::Finding;
use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::stream::evaluator::Evaluator;
use crate::rules::stream::ordering::record_order;
use crate::stream::change::SourceKind;
use std::sync::Arc;

impl Evaluator {
    /// `source` has delivered everything up to `at_us`.
    pub(super) fn on_watermark(&mut self, source: SourceKind, at_us: i64, out: &mut Vec<Finding>) {
        let newest = &mut self.watermarks[source_index(source)];
        *newest = Some(newest.map_or(at_us, |known| known.max(at_us)));
        let now_us = newest.unwrap_or(at_us);
        self.first[source_index(source)].get_or_insert(at_us);
        let clock = SourceClock {
            source,
            now_us,
            watermarks: &self.watermarks,
            known: match self.live {
                Some(kafka_from_us) => ReadBounds::live(&self.first, self.margin_us, kafka_from_us),
                None => ReadBounds::whole(&self.first, self.margin_us),
            },
            judged: self.judged.as_ref(),
        };
        let has_gap = std::mem::take(&mut self.gap_marked[source_index(source)]);
        let set = Arc::clone(&self.set);
        let mut run = RuleRun::new(&set, &mut self.scope, &mut self.errors, out, &self.balances)
            .metered(&mut self.meter);
        for rule in self.remember.iter().copied() {
            let memory = &mut self.memories[rule];
            if has_gap {
                memory.mark_gap(now_us);
            }
            memory.advance(&mut run, &mut self.holds, rule, &clock);
            record_order(&mut self.orders, &run, 0, rule);
        }
        let needed_us = self.binlog_from();
        self.marks[source_index(source)].advance(now_us, needed_us);
    }
}
