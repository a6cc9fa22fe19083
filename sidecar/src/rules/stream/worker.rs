//! One worker: an evaluator on a thread of its own, its jobs and results.

use crate::rules::frozen::state_frames::StateSections;
use crate::rules::runtime::finding::{Finding, RuleError};
use crate::rules::runtime::rule_meter::RuleUse;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::stream::evaluator::Evaluator;
use crate::rules::stream::frozen_evaluator::FrozenEvaluator;
use crate::rules::stream::ordering::FindingOrder;
use crate::rules::stream::restore::RestoredRules;
use crate::stream::change::{RuleInput, SourceKind};
use crate::stream::offsets::PartitionOffsets;
use crossbeam_channel::{Receiver, Sender};
use std::sync::Arc;

/// The state of an evaluator, as far as others ask.
#[derive(Debug, Clone)]
pub struct WorkerState {
    pub holds_version: u64,
    pub holds: Arc<Vec<String>>,
    pub open_pairs: usize,
    pub lagging: usize,
    pub binlog_from: i64,
    pub needs: [Option<Arc<str>>; 2],
    pub memory_bytes: Vec<usize>,
}

/// A job for a worker.
pub enum WorkerJob {
    /// With the state after it, if somebody will ask.
    Batch(Arc<[RuleInput]>, bool),
    Swap(Arc<RuleSet>, Vec<bool>),
    MarkGap,
    Begins(Option<i64>, Option<PartitionOffsets>),
    DoubtUntil(i64),
    /// Answers with the state of its rules.
    Freeze(Sender<FrozenEvaluator>),
    /// Takes over written state; answers with the state after it too.
    Restore(StateSections, Sender<RestoreAnswer>),
}

/// Rules by what became of them and the state after it, or the part that can't be read.
pub type RestoreAnswer = Result<(RestoredRules, WorkerState), &'static str>;

/// The result of a batch.
pub struct WorkerResult {
    pub found: Vec<(FindingOrder, Finding)>,
    pub errors: Vec<(FindingOrder, RuleError)>,
    pub state: Option<WorkerState>,
    pub uses: Vec<RuleUse>,
}

/// The ends of a worker's channels.
pub struct RuleWorker {
    pub jobs: Sender<WorkerJob>,
    pub done: Receiver<WorkerResult>,
}

impl WorkerState {
    /// The state of an evaluator; `last` lends its holds if they are the same.
    pub fn of(evaluator: &Evaluator, last: Option<&WorkerState>) -> WorkerState {
        let holds_version = evaluator.holds_version();
        let same = last.filter(|last| last.holds_version == holds_version);
        WorkerState {
            holds_version,
            holds: same.map_or_else(
                || Arc::new(evaluator.holds()),
                |last| Arc::clone(&last.holds),
            ),
            open_pairs: evaluator.open_pairs(),
            lagging: evaluator.lagging(),
            binlog_from: evaluator.binlog_from(),
            needs: [SourceKind::Binlog, SourceKind::Kafka]
                .map(|source| evaluator.needs_from(source)),
            memory_bytes: evaluator.memory_bytes(),
        }
    }
}

/// Runs a worker's thread, until nobody has anything for it.
pub fn work(mut evaluator: Evaluator, jobs: &Receiver<WorkerJob>, finish: &Sender<WorkerResult>) {
    let mut state = WorkerState::of(&evaluator, None);
    for job in jobs {
        match job {
            WorkerJob::Swap(set, assigned) => evaluator.swap_assigned(set, assigned),
            WorkerJob::MarkGap => evaluator.mark_gap(),
            WorkerJob::DoubtUntil(at_us) => evaluator.doubt_until(at_us),
            WorkerJob::Begins(kafka_from_us, judged) => evaluator.begins(kafka_from_us, judged),
            // Nobody waits for an answer any more if it can't be sent.
            WorkerJob::Freeze(answer) => drop(answer.send(evaluator.freeze())),
            WorkerJob::Restore(written, answer) => {
                let told = evaluator.restore(&written);
                state = WorkerState::of(&evaluator, None);
                drop(answer.send(told.map(|told| (told, state.clone()))));
            }
            WorkerJob::Batch(inputs, with_state) => {
                let mut out = Vec::new();
                inputs
                    .iter()
                    .for_each(|input| evaluator.evaluate(input, &mut out));
                evaluator.settle_uses();
                let orders = evaluator.take_orders();
                if with_state {
                    state = WorkerState::of(&evaluator, Some(&state));
                }
                let done = WorkerResult {
                    found: orders.findings.into_iter().zip(out).collect(),
                    errors: orders.errors.into_iter().zip(evaluator.errors()).collect(),
                    state: with_state.then(|| state.clone()),
                    uses: evaluator.take_uses(),
                };
                if finish.send(done).is_err() {
                    return;
                }
            }
        }
    }
}
