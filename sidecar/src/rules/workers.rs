//! Evaluation on several threads, with the very result of one. Every worker sees
//! every input and evaluates its share of the rules; what they find is put in the
//! order in which one evaluator would have found it.

use super::evaluate::Evaluator;
use super::load::RuleSet;
use super::places::Place;
use super::run::MOST_ERRORS;
use super::{Finding, RuleError, shares};
use crate::change::{Input, Source};
use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Most workers; there are not many more rules than this to share.
pub const MOST_WORKERS: usize = 64;
/// Batches that a worker may be ahead of the slowest one.
pub const AHEAD: usize = 4;

/// What was found, and in which of a batch's inputs.
#[derive(Debug)]
pub struct Found {
    pub input: usize,
    pub finding: Finding,
}

/// What a batch led to, in the one order.
#[derive(Debug, Default)]
pub struct Batch {
    pub found: Vec<Found>,
    pub errors: Vec<RuleError>,
}

/// What an evaluator remembers, as far as others ask.
#[derive(Debug, Clone)]
struct State {
    holds_version: u64,
    holds: Arc<Vec<String>>,
    open_pairs: usize,
    lagging: usize,
    binlog_from: i64,
    needs: [Option<Arc<str>>; 2],
}

enum Job {
    /// With the state after it, if somebody will ask.
    Batch(Arc<[Input]>, bool),
    Swap(Arc<RuleSet>, Vec<bool>),
    Blur,
    Begins(Option<i64>),
}

struct Done {
    found: Vec<(Place, Finding)>,
    errors: Vec<(Place, RuleError)>,
    state: Option<State>,
}

struct Worker {
    jobs: Sender<Job>,
    done: Receiver<Done>,
}

/// One evaluator on this thread, or several on threads of their own.
pub struct Workers {
    alone: Option<Box<Evaluator>>,
    finished: VecDeque<Batch>,
    team: Vec<Worker>,
    states: Vec<State>,
    in_flight: usize,
    set: Arc<RuleSet>,
    shares: Vec<usize>,
    drafts: bool,
    /// Inputs that were given one by one.
    waiting: Vec<Input>,
    errors: Vec<RuleError>,
}

impl Workers {
    /// `workers` of 1 needs no thread.
    ///
    /// # Errors
    /// The system's, if it has no thread left.
    pub fn new(set: Arc<RuleSet>, workers: usize, drafts: bool) -> anyhow::Result<Workers> {
        let workers = workers.clamp(1, MOST_WORKERS);
        let shares = shares::deal(&set, workers, drafts);
        let mut made = Workers {
            alone: None,
            finished: VecDeque::new(),
            team: Vec::new(),
            states: Vec::new(),
            in_flight: 0,
            set: Arc::clone(&set),
            shares,
            drafts,
            waiting: Vec::new(),
            errors: Vec::new(),
        };
        if workers == 1 {
            made.alone = Some(Box::new(Evaluator::build(
                set,
                drafts,
                vec![true; made.shares.len()],
            )));
            return Ok(made);
        }
        for number in 0..workers {
            let mut evaluator = Evaluator::build(Arc::clone(&set), drafts, made.mine(number));
            made.states.push(State::of(&evaluator, None));
            evaluator.keep_places();
            let (jobs, todo) = bounded(AHEAD);
            let (finish, done) = bounded(AHEAD);
            let name = format!("sluice-rules-{number}");
            let spawned = std::thread::Builder::new()
                .name(name)
                .spawn(move || work(evaluator, &todo, &finish));
            spawned.context("a thread for rules")?;
            made.team.push(Worker { jobs, done });
        }
        Ok(made)
    }

    fn mine(&self, worker: usize) -> Vec<bool> {
        self.shares.iter().map(|share| *share == worker).collect()
    }

    /// Begins a batch. At most [`AHEAD`] may be begun and not collected.
    pub fn begin(&mut self, inputs: &Arc<[Input]>) -> anyhow::Result<()> {
        self.begin_with(inputs, false)
    }

    fn begin_with(&mut self, inputs: &Arc<[Input]>, state: bool) -> anyhow::Result<()> {
        self.in_flight += 1;
        if let Some(evaluator) = &mut self.alone {
            let mut batch = Batch::default();
            let mut found = Vec::new();
            for (input, one) in inputs.iter().enumerate() {
                evaluator.evaluate(one, &mut found);
                batch
                    .found
                    .extend(found.drain(..).map(|finding| Found { input, finding }));
            }
            batch.errors = evaluator.errors();
            self.finished.push_back(batch);
            return Ok(());
        }
        self.tell(|_| Job::Batch(Arc::clone(inputs), state))
    }

    /// The oldest batch that was begun; None if there is none.
    pub fn collect(&mut self) -> anyhow::Result<Option<Batch>> {
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
            if let Some(now) = done.state {
                *state = now;
            }
        }
        // Stable: what one rule found at one place stays in its order.
        found.sort_by_key(|(place, _)| *place);
        errors.sort_by_key(|(place, _)| *place);
        errors.truncate(MOST_ERRORS);
        let found = found
            .into_iter()
            .map(|(place, finding)| Found {
                input: place.input,
                finding,
            })
            .collect();
        Ok(Some(Batch {
            found,
            errors: errors.into_iter().map(|(_, error)| error).collect(),
        }))
    }

    /// How many batches were begun and not collected.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    fn tell(&self, job: impl Fn(usize) -> Job) -> anyhow::Result<()> {
        for (number, worker) in self.team.iter().enumerate() {
            worker
                .jobs
                .send(job(number))
                .context("a thread that evaluates rules died")?;
        }
        Ok(())
    }

    /// See [`Evaluator::blur`]: from the next batch on.
    pub fn blur(&mut self) -> anyhow::Result<()> {
        match &mut self.alone {
            Some(evaluator) => evaluator.blur(),
            None => self.tell(|_| Job::Blur)?,
        }
        Ok(())
    }

    /// See [`Evaluator::begins`]: from the next batch on.
    pub fn begins(&mut self, kafka_from_us: Option<i64>) -> anyhow::Result<()> {
        match &mut self.alone {
            Some(evaluator) => evaluator.begins(kafka_from_us),
            None => self.tell(|_| Job::Begins(kafka_from_us))?,
        }
        Ok(())
    }

    /// See [`Evaluator::swap`]: from the next batch on.
    pub fn swap(&mut self, set: Arc<RuleSet>) -> anyhow::Result<()> {
        if let Some(evaluator) = &mut self.alone {
            evaluator.swap(set);
            return Ok(());
        }
        self.shares =
            shares::deal_again(&set, self.team.len(), self.drafts, &self.set, &self.shares);
        self.set = Arc::clone(&set);
        self.tell(|number| Job::Swap(Arc::clone(&set), self.mine(number)))
    }

    /// Evaluates one input, now or with those around it; `flush` has the rest.
    pub fn evaluate(&mut self, input: &Input, out: &mut Vec<Finding>) {
        match &mut self.alone {
            Some(evaluator) => evaluator.evaluate(input, out),
            None => self.waiting.push(input.clone()),
        }
    }

    /// Everything that was given to `evaluate` is evaluated.
    pub fn flush(&mut self, out: &mut Vec<Finding>) -> anyhow::Result<()> {
        if !self.waiting.is_empty() {
            let inputs: Arc<[Input]> = std::mem::take(&mut self.waiting).into();
            self.begin_with(&inputs, true)?;
            if let Some(batch) = self.collect()? {
                out.extend(batch.found.into_iter().map(|found| found.finding));
                self.errors.extend(batch.errors);
            }
        }
        Ok(())
    }

    /// See [`Evaluator::holds`].
    pub fn holds(&self) -> Vec<String> {
        let Some(evaluator) = &self.alone else {
            let all: BTreeSet<&String> = self
                .states
                .iter()
                .flat_map(|state| state.holds.iter())
                .collect();
            return all.into_iter().cloned().collect();
        };
        evaluator.holds()
    }

    /// See [`Evaluator::holds_version`].
    pub fn holds_version(&self) -> u64 {
        self.alone.as_ref().map_or_else(
            || self.states.iter().map(|state| state.holds_version).sum(),
            |alone| alone.holds_version(),
        )
    }

    /// See [`Evaluator::open_pairs`].
    pub fn open_pairs(&self) -> usize {
        self.alone.as_ref().map_or_else(
            || self.states.iter().map(|state| state.open_pairs).sum(),
            |alone| alone.open_pairs(),
        )
    }

    /// See [`Evaluator::lagging`].
    pub fn lagging(&self) -> usize {
        self.alone.as_ref().map_or_else(
            || self.states.iter().map(|state| state.lagging).sum(),
            |alone| alone.lagging(),
        )
    }

    /// See [`Evaluator::needs_from`]: whoever needs most decides for all.
    pub fn needs_from(&self, source: Source) -> Option<Arc<str>> {
        if let Some(evaluator) = &self.alone {
            return evaluator.needs_from(source);
        }
        let most = self.states.iter().min_by_key(|state| state.binlog_from)?;
        most.needs[usize::from(source == Source::Kafka)].clone()
    }

    /// See [`Evaluator::errors`].
    pub fn errors(&mut self) -> Vec<RuleError> {
        self.alone
            .as_mut()
            .map_or_else(|| std::mem::take(&mut self.errors), |alone| alone.errors())
    }
}

impl State {
    fn of(evaluator: &Evaluator, last: Option<&State>) -> State {
        let holds_version = evaluator.holds_version();
        let same = last.filter(|last| last.holds_version == holds_version);
        State {
            holds_version,
            holds: same.map_or_else(
                || Arc::new(evaluator.holds()),
                |last| Arc::clone(&last.holds),
            ),
            open_pairs: evaluator.open_pairs(),
            lagging: evaluator.lagging(),
            binlog_from: evaluator.binlog_from(),
            needs: [Source::Binlog, Source::Kafka].map(|source| evaluator.needs_from(source)),
        }
    }
}

/// A worker's thread, until nobody has anything for it.
fn work(mut evaluator: Evaluator, jobs: &Receiver<Job>, finish: &Sender<Done>) {
    let mut state = State::of(&evaluator, None);
    for job in jobs {
        match job {
            Job::Swap(set, mine) => evaluator.swap_mine(set, mine),
            Job::Blur => evaluator.blur(),
            Job::Begins(kafka_from_us) => evaluator.begins(kafka_from_us),
            Job::Batch(inputs, with_state) => {
                let mut out = Vec::new();
                inputs
                    .iter()
                    .for_each(|input| evaluator.evaluate(input, &mut out));
                let places = evaluator.places();
                if with_state {
                    state = State::of(&evaluator, Some(&state));
                }
                let done = Done {
                    found: places.findings.into_iter().zip(out).collect(),
                    errors: places.errors.into_iter().zip(evaluator.errors()).collect(),
                    state: with_state.then(|| state.clone()),
                };
                if finish.send(done).is_err() {
                    return;
                }
            }
        }
    }
}
