//! Evaluation on several threads, with the very result of one. Every worker sees
//! every input and evaluates its share of the rules; what they find is put in the
//! order in which one evaluator would have found it.

use crate::rules::frozen::state_frames::StateSections;
use crate::rules::runtime::finding::{Finding, RuleError};
use crate::rules::runtime::rule_call::MAX_ERRORS;
use crate::rules::runtime::rule_meter::RuleUse;
use crate::rules::runtime::rule_selection::RuleSelection;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::stream::assignment;
use crate::rules::stream::evaluator::Evaluator;
use crate::rules::stream::frozen_evaluator::FrozenEvaluator;
use crate::rules::stream::restore::RestoredRules;
use crate::rules::stream::worker::{RuleWorker, WorkerJob, WorkerState, work};
use crate::stream::change::RuleInput;
use crate::stream::offsets::PartitionOffsets;
use anyhow::Context;
use crossbeam_channel::bounded;
use std::collections::VecDeque;
use std::sync::Arc;

/// Most workers; there are not many more rules than this to share.
pub const MAX_WORKERS: usize = 64;
/// Batches that a worker may be ahead of the slowest one.
pub const MAX_BATCHES_AHEAD: usize = 4;

/// A finding, and in which of a batch's inputs.
#[derive(Debug)]
pub struct InputFinding {
    pub input: usize,
    pub finding: Finding,
}

/// Findings and errors of a batch, in the one order.
#[derive(Debug, Default)]
pub struct BatchFindings {
    pub found: Vec<InputFinding>,
    pub errors: Vec<RuleError>,
}

/// One evaluator on this thread, or several on threads of their own.
pub struct RuleWorkers {
    pub(super) alone: Option<Box<Evaluator>>,
    pub(super) finished: VecDeque<BatchFindings>,
    pub(super) team: Vec<RuleWorker>,
    pub(super) states: Vec<WorkerState>,
    pub(super) in_flight: usize,
    pub(super) set: Arc<RuleSet>,
    pub(super) shares: Vec<usize>,
    pub(super) selection: RuleSelection,
    /// Inputs that were given one by one.
    pub(super) waiting: Vec<RuleInput>,
    pub(super) errors: Vec<RuleError>,
    /// Of all workers, since it was last asked for.
    pub(super) uses: Vec<RuleUse>,
}

impl RuleWorkers {
    /// `workers` of 1 needs no thread.
    ///
    /// # Errors
    /// The system's, if it has no thread left.
    pub fn new(
        set: Arc<RuleSet>,
        workers: usize,
        selection: RuleSelection,
    ) -> anyhow::Result<RuleWorkers> {
        let workers = workers.clamp(1, MAX_WORKERS);
        let shares = assignment::assign_rules(&set, workers, selection);
        let mut made = RuleWorkers {
            alone: None,
            finished: VecDeque::new(),
            team: Vec::new(),
            states: Vec::new(),
            in_flight: 0,
            set: Arc::clone(&set),
            shares,
            selection,
            waiting: Vec::new(),
            errors: Vec::new(),
            uses: Vec::new(),
        };
        if workers == 1 {
            made.alone = Some(Box::new(Evaluator::build(
                set,
                selection,
                vec![true; made.shares.len()],
            )));
            return Ok(made);
        }
        for number in 0..workers {
            let mut evaluator =
                Evaluator::build(Arc::clone(&set), selection, made.assigned(number));
            made.states.push(WorkerState::of(&evaluator, None));
            evaluator.keep_finding_orders();
            let (jobs, todo) = bounded(MAX_BATCHES_AHEAD);
            let (finish, done) = bounded(MAX_BATCHES_AHEAD);
            let name = format!("sluice-rules-{number}");
            let spawned = std::thread::Builder::new()
                .name(name)
                .spawn(move || work(evaluator, &todo, &finish));
            spawned.context("a thread for rules")?;
            made.team.push(RuleWorker { jobs, done });
        }
        Ok(made)
    }

    fn assigned(&self, worker: usize) -> Vec<bool> {
        self.shares.iter().map(|share| *share == worker).collect()
    }

    /// Begins a batch. At most [`MAX_BATCHES_AHEAD`] may be begun and not collected.
    pub fn begin(&mut self, inputs: &Arc<[RuleInput]>) -> anyhow::Result<()> {
        self.begin_with(inputs, false)
    }

    fn begin_with(&mut self, inputs: &Arc<[RuleInput]>, state: bool) -> anyhow::Result<()> {
        self.in_flight += 1;
        if let Some(evaluator) = &mut self.alone {
            let mut batch = BatchFindings::default();
            let mut found = Vec::new();
            for (input, one) in inputs.iter().enumerate() {
                evaluator.evaluate(one, &mut found);
                batch.found.extend(
                    found
                        .drain(..)
                        .map(|finding| InputFinding { input, finding }),
                );
            }
            evaluator.settle_uses();
            batch.errors = evaluator.errors();
            self.finished.push_back(batch);
            return Ok(());
        }
        self.tell(|_| WorkerJob::Batch(Arc::clone(inputs), state))
    }

    /// The oldest batch that was begun; None if there is none.
    pub fn collect(&mut self) -> anyhow::Result<Option<BatchFindings>> {
        if self.in_flight == 0 {
            return Ok(None);
        }
        self.in_flight -= 1;
        if self.alone.is_some() {
            return Ok(self.finished.pop_front());
        }
        let mut found = Vec::new();
        let mut errors = Vec::new();
        for (worker, state) in self.team.iter().zip(&mut self.states) {
            let done = worker
                .done
                .recv()
                .context("a thread that evaluates rules died")?;
            found.extend(done.found);
            errors.extend(done.errors);
            add_uses(&mut self.uses, &done.uses);
            if let Some(now) = done.state {
                *state = now;
            }
        }
        // Stable: what one rule found at one place stays in its order.
        found.sort_by_key(|(order, _)| *order);
        errors.sort_by_key(|(order, _)| *order);
        errors.truncate(MAX_ERRORS);
        let found = found
            .into_iter()
            .map(|(order, finding)| InputFinding {
                input: order.input,
                finding,
            })
            .collect();
        Ok(Some(BatchFindings {
            found,
            errors: errors.into_iter().map(|(_, error)| error).collect(),
        }))
    }

    /// The number of batches that were begun and not collected.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    fn tell(&self, job: impl Fn(usize) -> WorkerJob) -> anyhow::Result<()> {
        for (number, worker) in self.team.iter().enumerate() {
            worker
                .jobs
                .send(job(number))
                .context("a thread that evaluates rules died")?;
        }
        Ok(())
    }

    /// See [`Evaluator::mark_gap`]: from the next batch on.
    pub fn mark_gap(&mut self) -> anyhow::Result<()> {
        match &mut self.alone {
            Some(evaluator) => evaluator.mark_gap(),
            None => self.tell(|_| WorkerJob::MarkGap)?,
        }
        Ok(())
    }

    /// See [`Evaluator::doubt_until`].
    pub fn doubt_until(&mut self, at_us: i64) -> anyhow::Result<()> {
        match &mut self.alone {
            Some(evaluator) => evaluator.doubt_until(at_us),
            None => self.tell(|_| WorkerJob::DoubtUntil(at_us))?,
        }
        Ok(())
    }

    /// See [`Evaluator::begins`]: from the next batch on.
    pub fn begins(
        &mut self,
        kafka_from_us: Option<i64>,
        judged: Option<PartitionOffsets>,
    ) -> anyhow::Result<()> {
        match &mut self.alone {
            Some(evaluator) => evaluator.begins(kafka_from_us, judged),
            None => self.tell(|_| WorkerJob::Begins(kafka_from_us, judged.clone()))?,
        }
        Ok(())
    }

    /// The state of all rules, after everything that was begun.
    pub fn freeze(&mut self) -> anyhow::Result<FrozenEvaluator> {
        if let Some(alone) = &self.alone {
            return Ok(alone.freeze());
        }
        let (answer, answers) = bounded(self.team.len());
        self.tell(|_| WorkerJob::Freeze(answer.clone()))?;
        drop(answer);
        let mut all = answers
            .recv()
            .context("a thread that evaluates rules died")?;
        answers.iter().for_each(|one| all.join(one));
        Ok(all)
    }

    /// Takes over written state; nothing was evaluated yet. See [`Evaluator::restore`].
    ///
    /// # Errors
    /// The part that is not as it was written; these workers are of no use then.
    pub fn restore(&mut self, state: &StateSections) -> anyhow::Result<RestoredRules> {
        let unreadable = |part: &str| anyhow::anyhow!("{part} can't be read");
        if let Some(alone) = &mut self.alone {
            return alone.restore(state).map_err(unreadable);
        }
        let (answer, answers): (Vec<_>, Vec<_>) = self.team.iter().map(|_| bounded(1)).unzip();
        self.tell(|number| WorkerJob::Restore(state.clone(), answer[number].clone()))?;
        drop(answer);
        let mut all = RestoredRules::default();
        for (answer, state) in answers.iter().zip(&mut self.states) {
            let told = answer
                .recv()
                .context("a thread that evaluates rules died")?;
            let (told, now) = told.map_err(unreadable)?;
            all.restored.extend(told.restored);
            all.anew.extend(told.anew);
            // Whoever asks before the next batch must not hear of empty memories.
            *state = now;
        }
        Ok(all)
    }

    /// See [`Evaluator::swap`]: from the next batch on.
    pub fn swap(&mut self, set: Arc<RuleSet>) -> anyhow::Result<()> {
        if let Some(evaluator) = &mut self.alone {
            evaluator.swap(set);
            return Ok(());
        }
        self.shares = assignment::reassign_rules(
            &set,
            self.team.len(),
            self.selection,
            &self.set,
            &self.shares,
        );
        self.set = Arc::clone(&set);
        self.uses.clear();
        self.tell(|number| WorkerJob::Swap(Arc::clone(&set), self.assigned(number)))
    }

    /// Evaluates one input, now or with those around it; `flush` has the rest.
    pub fn evaluate(&mut self, input: &RuleInput, out: &mut Vec<Finding>) {
        match &mut self.alone {
            Some(evaluator) => evaluator.evaluate(input, out),
            None => self.waiting.push(input.clone()),
        }
    }

    /// Everything that was given to `evaluate` is evaluated.
    pub fn flush(&mut self, out: &mut Vec<Finding>) -> anyhow::Result<()> {
        if let Some(alone) = &mut self.alone {
            alone.settle_uses();
        }
        if !self.waiting.is_empty() {
            let inputs: Arc<[RuleInput]> = std::mem::take(&mut self.waiting).into();
            self.begin_with(&inputs, true)?;
            if let Some(batch) = self.collect()? {
                out.extend(batch.found.into_iter().map(|found| found.finding));
                self.errors.extend(batch.errors);
            }
        }
        Ok(())
    }
}

fn add_uses(uses: &mut Vec<RuleUse>, more: &[RuleUse]) {
    if uses.len() < more.len() {
        uses.resize(more.len(), RuleUse::default());
    }
    uses.iter_mut()
        .zip(more)
        .for_each(|(sum, more)| sum.add(*more));
}
