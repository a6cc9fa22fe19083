//! Meter of rules: calls and processor time of each. The clock of a call is the machine's,
//! which is cheap; what a batch of inputs took of it is then scaled to the processor time that
//! the thread had meanwhile, so that a busy machine makes no rule look dear. No finding
//! depends on it, except where a rule in shadow has used up what it was allowed.

use crate::rules::views::limits::{machine_time, processor_time};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Use that a rule made of its evaluator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RuleUse {
    pub calls: u64,
    pub time: Duration,
}

impl RuleUse {
    pub fn add(&mut self, other: RuleUse) {
        self.calls += other.calls;
        self.time += other.time;
    }
}

/// Bounds of rules in shadow, for one batch of inputs.
struct ShadowAllowance {
    /// Processor time that each rule has left.
    left: Vec<Duration>,
    /// No rule is called any more once it is cancelled.
    stop: CancellationToken,
}

/// Calls of an evaluator's rules and their time, by the rules' numbers.
#[derive(Default)]
pub struct RuleMeter {
    /// In processor time, since it was last taken.
    settled: Vec<RuleUse>,
    /// In the machine's time, since `begun`.
    batch: Vec<RuleUse>,
    /// Times of machine and processor at the batch's first call.
    begun: Option<(Duration, Duration)>,
    allowance: Option<ShadowAllowance>,
}

impl RuleMeter {
    /// Allows each rule so much processor time, and nothing after the stop. An evaluator of
    /// armed rules is never given any: none of them is ever left out.
    pub fn allow(&mut self, left: Vec<Duration>, stop: CancellationToken) {
        self.allowance = Some(ShadowAllowance { left, stop });
    }

    /// Whether a rule must not be called: it has used up what it was allowed.
    pub(super) fn refuses(&mut self, rule: usize) -> bool {
        let Some(allowance) = &self.allowance else {
            return false;
        };
        if allowance.stop.is_cancelled() {
            return true;
        }
        let left = allowance.left.get(rule).copied().unwrap_or_default();
        let used = self.batch.get(rule).map(|used| used.time);
        if used.unwrap_or_default() < left {
            return false;
        }
        // A part of that may have been a wait for the processor.
        self.settle();
        self.left(rule).is_zero()
    }

    fn left(&self, rule: usize) -> Duration {
        let allowance = self.allowance.as_ref();
        let left = allowance.and_then(|allowance| allowance.left.get(rule));
        left.copied().unwrap_or_default()
    }

    /// Begins a call.
    pub(super) fn begin_call(&mut self) -> Duration {
        let now = machine_time();
        self.begun.get_or_insert_with(|| (now, processor_time()));
        now
    }

    /// Ends the call of a rule that began at `begun`.
    pub(super) fn end_call(&mut self, rule: usize, begun: Duration) {
        if self.batch.len() <= rule {
            self.batch.resize(rule + 1, RuleUse::default());
        }
        let time = machine_time().saturating_sub(begun);
        self.batch[rule].add(RuleUse { calls: 1, time });
    }

    /// Turns what the calls of a batch took into processor time. Called at its end: what the
    /// thread does between batches is no rule's.
    pub fn settle(&mut self) {
        let Some((machine, processor)) = self.begun.take() else {
            return;
        };
        let passed = machine_time().saturating_sub(machine).as_nanos().max(1);
        let had = processor_time().saturating_sub(processor).as_nanos();
        if self.settled.len() < self.batch.len() {
            self.settled.resize(self.batch.len(), RuleUse::default());
        }
        for (rule, used) in self.batch.iter_mut().enumerate() {
            let nanos = used.time.as_nanos() * had.min(passed) / passed;
            let time = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
            let calls = used.calls;
            *used = RuleUse::default();
            self.settled[rule].add(RuleUse { calls, time });
            let allowance = self.allowance.as_mut();
            if let Some(left) = allowance.and_then(|allowance| allowance.left.get_mut(rule)) {
                *left = left.saturating_sub(time);
            }
        }
    }

    /// Takes the settled use of each rule since the last time.
    pub fn take(&mut self) -> Vec<RuleUse> {
        std::mem::take(&mut self.settled)
    }
}
