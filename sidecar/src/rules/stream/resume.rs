//! Resumption: the positions from which a restart must read again, so that memories are
//! whole. `memory::replay_marks` says why they lie where they do.

use crate::rules::memory::keyed_log::UNTIMED_US;
use crate::rules::memory::replay_marks::MAX_LOOK_BACK_US;
use crate::rules::memory::watermarks::source_index;
use crate::rules::stream::evaluator::Evaluator;
use crate::rules::trigger::rule_memory::ReplayNeed;
use crate::stream::change::SourceKind;
use std::sync::Arc;

impl Evaluator {
    /// Position from which `source` must be read again after a restart, so that
    /// windows and pairs are as they are now; see `memory::replay_marks`. None: from the
    /// checkpoint.
    pub fn needs_from(&self, source: SourceKind) -> Option<Arc<str>> {
        let from_us = self.binlog_from();
        match source {
            SourceKind::Binlog => self.marks[0].since(from_us),
            SourceKind::Kafka => self.marks[1].since(from_us.saturating_add(self.margin_us)),
        }
    }

    /// B: the time from which the binlog must be read again, in microseconds.
    pub fn binlog_from(&self) -> i64 {
        let Some(from_us) = self.memories_from() else {
            // Nothing is known yet: everything that was read is needed.
            return i64::MIN;
        };
        if self.margin_us == 0 {
            return from_us;
        }
        let [Some(now_us), Some(first_us)] =
            [self.watermarks, self.first].map(|of| of[source_index(SourceKind::Binlog)])
        else {
            return from_us;
        };
        // Nothing came before the first watermark: what is older came with it.
        let earliest_us = first_us.max(now_us.saturating_sub(MAX_LOOK_BACK_US));
        let rows_from_us =
            self.marks[source_index(SourceKind::Kafka)].rows_from(from_us, self.margin_us);
        from_us.min(rows_from_us.max(earliest_us))
    }

    /// The oldest time that windows and open pairs need; None before the first watermark of
    /// a set with a margin.
    fn memories_from(&self) -> Option<i64> {
        let mut open = match self.watermarks[source_index(SourceKind::Binlog)] {
            _ if self.margin_us == 0 => UNTIMED_US,
            Some(now_us) => now_us,
            None => return None,
        };
        let mut windows = UNTIMED_US;
        for memory in self.remembering() {
            match memory.replay_need() {
                ReplayNeed::From(oldest_us) => windows = windows.min(oldest_us),
                ReplayNeed::OpenSince(oldest_us) => open = open.min(oldest_us),
                ReplayNeed::Nothing => {}
            }
        }
        if open != UNTIMED_US {
            open = open.saturating_sub(2 * self.margin_us);
        }
        Some(windows.min(open))
    }
}
