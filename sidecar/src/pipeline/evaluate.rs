//! The evaluator's thread: the one place that knows what was evaluated.

use super::barrier::{Bell, Passage};
use super::replay::{Anchors, binlog};
use super::{Feed, RESULT_QUEUE};
use crate::change::{Input, Source};
use crate::metrics::Metrics;
use crate::rules::{Evaluator, Finding, RuleSet};
use crate::sources::gtid::{Flavour, GtidSet};
use crate::sources::offsets::Offsets;
use crate::sources::{BinlogBatch, Item, KafkaBatch, Mark, Token};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use sluice_contract::clock::now_us;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How soon a new rule set is taken over when nothing else happens.
const RELOAD: Duration = Duration::from_millis(100);
/// Tokens that wait for Kafka; past it only the newest of each core is kept, which
/// includes the older ones.
const MOST_TOKENS: usize = 4096;
/// How often the resume position is worked out.
const REPLAY_US: i64 = 100_000;

/// What one batch led to. Everything in it was evaluated, and nothing after it.
#[derive(Debug, Default)]
pub struct Evaluated {
    pub findings: Vec<Finding>,
    /// Tokens whose every condition is met, once the findings are committed.
    pub released: Vec<Token>,
    pub heartbeat_us: Option<i64>,
    pub binlog: Option<String>,
    pub kafka: Option<Arc<Offsets>>,
    /// Where a restart begins to read: binlog, then Kafka.
    pub replay: Option<(String, Option<String>)>,
    pub holds: Option<Arc<Vec<String>>>,
    pub rules_hash: Arc<str>,
    pub pairs: usize,
}

pub struct Settings {
    pub flavour: Flavour,
    /// Where this run begins to read the binlog.
    pub position: String,
    pub rules: Arc<RuleSet>,
    pub reloads: watch::Receiver<Option<Arc<RuleSet>>>,
    /// None without Kafka: tokens then wait for nothing.
    pub bell: Option<Bell>,
    pub metrics: &'static Metrics,
}

/// The queue of results to the committer.
pub fn results() -> (mpsc::Sender<Evaluated>, mpsc::Receiver<Evaluated>) {
    mpsc::channel(RESULT_QUEUE)
}

pub struct Worker {
    evaluator: Evaluator,
    reloads: watch::Receiver<Option<Arc<RuleSet>>>,
    rules_hash: Arc<str>,
    bell: Option<Bell>,
    metrics: &'static Metrics,
    holds_version: Option<u64>,
    errors: HashMap<String, u64>,
    waiting: VecDeque<(u64, Token)>,
    passages: VecDeque<Passage>,
    read: Arc<Offsets>,
    binlog_anchors: Anchors<GtidSet>,
    kafka_anchors: Option<Anchors<Arc<Offsets>>>,
    flavour: Flavour,
    replay_us: i64,
    out: Evaluated,
}

impl Worker {
    pub fn new(settings: Settings) -> anyhow::Result<Self> {
        Ok(Worker {
            rules_hash: settings.rules.hash().into(),
            evaluator: Evaluator::new(settings.rules),
            reloads: settings.reloads,
            bell: settings.bell,
            metrics: settings.metrics,
            holds_version: None,
            errors: HashMap::new(),
            waiting: VecDeque::new(),
            passages: VecDeque::new(),
            read: Arc::default(),
            binlog_anchors: binlog(settings.flavour, &settings.position)?,
            kafka_anchors: None,
            flavour: settings.flavour,
            replay_us: 0,
            out: Evaluated::default(),
        })
    }

    /// Evaluates until the sources are gone.
    pub fn run(mut self, feed: &Receiver<Feed>, results: &mpsc::Sender<Evaluated>) {
        loop {
            let next = feed.recv_timeout(RELOAD);
            self.reload();
            match next {
                Ok(Feed::Binlog(batch)) => self.binlog(batch),
                Ok(Feed::Kafka(batch)) => self.kafka(batch),
                Ok(Feed::Passage(passage)) => self.passages.push_back(passage),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.pass();
            self.finish();
            // Full: the committer is behind, and so is everything before us.
            if results.blocking_send(std::mem::take(&mut self.out)).is_err() {
                return;
            }
        }
    }

    fn reload(&mut self) {
        if !self.reloads.has_changed().unwrap_or(false) {
            return;
        }
        let Some(rules) = self.reloads.borrow_and_update().clone() else { return };
        if rules.hash() != &*self.rules_hash {
            self.rules_hash = rules.hash().into();
            self.evaluator.swap(rules);
        }
    }

    fn evaluate(&mut self, input: &Input) {
        self.evaluator.evaluate(input, &mut self.out.findings);
    }

    fn binlog(&mut self, batch: BinlogBatch) {
        self.metrics.row_changes.inc_by(batch.changes as u64);
        self.metrics.transactions.inc_by(batch.items.len() as u64);
        for Item { transaction, marks } in batch.items {
            self.evaluate(&Input::Transaction(transaction));
            marks.into_iter().for_each(|mark| self.mark(mark));
        }
        let (flavour, position) = (self.flavour, &batch.position);
        self.binlog_anchors.reached(now_us(), || GtidSet::parse(flavour, position).ok());
        self.out.binlog = Some(batch.position);
    }

    /// The row's transaction was evaluated just before.
    fn mark(&mut self, mark: Mark) {
        match mark {
            // Only our own clock moves the watermark: a core whose clock is ahead
            // must not make others look late.
            Mark::Heartbeat { updated_us } => {
                self.evaluate(&Input::Watermark { source: Source::Binlog, at_us: updated_us });
                self.out.heartbeat_us = Some(updated_us);
            }
            Mark::Token(token) => match &self.bell {
                None => self.out.released.push(token),
                Some(bell) => {
                    let number = bell.ring();
                    self.wait(number, token);
                }
            },
        }
    }

    fn wait(&mut self, number: u64, token: Token) {
        self.waiting.push_back((number, token));
        if self.waiting.len() > MOST_TOKENS {
            let newest: HashMap<String, u64> = self.waiting.iter().map(|(n, t)| (t.instance.clone(), *n)).collect();
            self.waiting.retain(|(n, t)| newest.get(&t.instance) == Some(n));
        }
    }

    fn kafka(&mut self, batch: KafkaBatch) {
        self.metrics.events.inc_by(batch.events.len() as u64);
        for event in batch.events {
            self.evaluate(&Input::Event(event));
        }
        let offsets = batch.offsets;
        let anchors = self.kafka_anchors.get_or_insert_with(|| Anchors::new(Arc::clone(&offsets)));
        anchors.reached(now_us(), || Some(Arc::clone(&offsets)));
        self.read = Arc::clone(&offsets);
        self.out.kafka = Some(offsets);
    }

    /// Lets through what Kafka's ends allow by now.
    fn pass(&mut self) {
        while self.passages.front().is_some_and(|passage| self.read.reached(&passage.ends)) {
            let Some(passage) = self.passages.pop_front() else { return };
            self.evaluate(&Input::Watermark { source: Source::Kafka, at_us: passage.at_us });
            while self.waiting.front().is_some_and(|(number, _)| *number <= passage.seen) {
                self.out.released.extend(self.waiting.pop_front().map(|(_, token)| token));
            }
        }
        // What an older question asks for, a newer one asks for too.
        if self.passages.len() > FEW_PASSAGES {
            self.passages.drain(1..self.passages.len() - 1);
        }
    }

    fn finish(&mut self) {
        let version = self.evaluator.holds_version();
        if self.holds_version != Some(version) {
            self.holds_version = Some(version);
            // Without Kafka the other half of a pair can't come: nothing waits for it.
            let holds = if self.bell.is_some() { self.evaluator.holds() } else { Vec::new() };
            self.out.holds = Some(Arc::new(holds));
        }
        self.out.pairs = self.evaluator.open_pairs();
        self.metrics.pairs_lagging.set(i64::try_from(self.evaluator.lagging()).unwrap_or(i64::MAX));
        self.out.rules_hash = Arc::clone(&self.rules_hash);
        let now = now_us();
        if now.saturating_sub(self.replay_us) >= REPLAY_US {
            self.replay_us = now;
            let binlog = self.binlog_anchors.before(self.evaluator.needs_from(Source::Binlog).as_deref());
            let needed = self.evaluator.needs_from(Source::Kafka);
            let kafka = self.kafka_anchors.as_mut().map(|anchors| anchors.before(needed.as_deref()));
            self.out.replay = Some((binlog, kafka));
        }
        self.count_errors();
    }

    fn count_errors(&mut self) {
        for error in self.evaluator.errors() {
            self.metrics.rule_errors.with_label_values(&[&error.rule]).inc();
            let times = self.errors.entry(error.rule.to_string()).or_default();
            *times += 1;
            // A rule that fails on every row must not flood the log.
            if times.is_power_of_two() {
                tracing::error!(rule = %error.rule, times, message = %error.message, "a rule failed to evaluate");
            }
        }
    }
}

/// Questions that Kafka's reader has not caught up with; the first and the last
/// say all that matters.
const FEW_PASSAGES: usize = 64;
