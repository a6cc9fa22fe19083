//! Freezing of what rules remember, from time to time and at the end. It is handed on behind
//! the findings that it follows; the committer writes it once those are committed.

use crate::pipeline::evaluate::StreamEvaluator;
use crate::state_file::{StateToWrite, WriteTurn};
use sluice_contract::clock::now_us;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Pauses between two writings take this many times what the last one took at least: a large
/// state must not keep the disk and a processor busy.
const PAUSE_PER_WRITING: i64 = 5;

/// Intervals without a state after which it is said.
const MAX_MISSED: u32 = 10;

/// Terms of freezing.
pub struct StateFreezing {
    /// Rows of the checkpoint that the servers have, in their order.
    pub sources: Vec<String>,
    pub interval: Duration,
    pub epoch: i64,
    /// Whether a state is on its way: see [`WriteTurn`].
    pub is_taken: Arc<AtomicBool>,
    /// When the next one is due, in µs.
    pub next_us: i64,
    /// Intervals since the last state that was frozen.
    pub missed: u32,
}

impl StateFreezing {
    /// Notes an interval without a state; says it once there were many.
    fn miss(&mut self, reason: &str) {
        self.missed = self.missed.saturating_add(1);
        if self.missed == MAX_MISSED {
            tracing::warn!(
                reason,
                intervals = self.missed,
                "the state of rules is not written: a restart reads more of the binlog again"
            );
        }
    }
}

impl StreamEvaluator {
    /// Freezes if it is time to, and none is being written.
    pub(super) fn freeze_if_due(&mut self) -> anyhow::Result<()> {
        let now = now_us();
        let is_due = |freezing: &StateFreezing| {
            freezing.next_us <= now && !freezing.is_taken.load(Ordering::Acquire)
        };
        match self.freezing.as_ref().is_some_and(is_due) {
            true => self.freeze(now),
            false => Ok(()),
        }
    }

    /// Freezes once more when nothing comes any more.
    pub(super) fn freeze_last(&mut self) -> anyhow::Result<()> {
        self.name_rules();
        match self.freezing.is_some() {
            true => self.freeze(now_us()),
            false => Ok(()),
        }
    }

    fn freeze(&mut self, now: i64) -> anyhow::Result<()> {
        let Some(freezing) = &mut self.freezing else {
            return Ok(());
        };
        let pause_us = i64::try_from(freezing.interval.as_micros()).unwrap_or(i64::MAX);
        let writing_us = self.metrics.state.write_us.get();
        freezing.next_us = now + pause_us.max(writing_us.saturating_mul(PAUSE_PER_WRITING));
        if self.kafka_gate.is_some() && !self.progress.knows_kafka() {
            freezing.miss("nothing came from Kafka yet");
            return Ok(());
        }
        let Some(positions) = self.progress.frozen(&freezing.sources, &self.evaluator) else {
            freezing
                .miss("a transaction is prepared and has not ended; XA RECOVER names it, end it");
            return Ok(());
        };
        freezing.missed = 0;
        let begun = Instant::now();
        let frozen = self.evaluator.freeze()?;
        let took_us = i64::try_from(begun.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.metrics.state.freeze_us.set(took_us);
        self.out.state = Some(Box::new(StateToWrite {
            positions,
            frozen,
            frozen_us: now,
            epoch: freezing.epoch,
            rules_hash: self.rules_hash.to_string(),
            rules_version: self.rules_version,
            turn: WriteTurn::take(&freezing.is_taken),
        }));
        Ok(())
    }
}
