//! The evaluator's thread: the one place that knows what was evaluated.

use crate::health::last_activity::LastActivity;
use crate::metrics::SidecarMetrics;
use crate::pipeline::MAX_QUEUED_RESULTS;
use crate::pipeline::gate::barrier::EndOffsetRequests;
use crate::pipeline::gate::elsewhere::ServerGate;
use crate::pipeline::resume_points::{ResumePoints, ServerPositions};
use crate::recording::{RecordingMark as Noted, RecordingTap};
use crate::rules::runtime::finding::Finding;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::{RuleWorkers, UnloggedChangeRule};
use crate::stream::batches::{
    BinlogBatch, ControlRow, DeadLetter, FenceToken, KafkaBatch, WatchedTransaction,
};
use crate::stream::change::{RuleInput, SourceKind};
use crate::stream::feed::{KafkaEndOffsets, SourceMessage};
use crate::stream::gtid::{Flavour, GtidSet};
use crate::stream::offsets::PartitionOffsets;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use sluice_contract::clock::now_us;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How soon a new rule set is taken over when nothing else happens.
const RELOAD_POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Tokens that wait for Kafka; past it only the newest of each core is kept, which
/// includes the older ones.
const MAX_WAITING_TOKENS: usize = 4096;
/// How often the resume position is worked out.
const RESUME_POSITION_INTERVAL_US: i64 = 100_000;

/// What one batch led to. Everything in it was evaluated, and nothing after it.
#[derive(Debug, Default)]
pub struct EvaluatedBatch {
    pub findings: Vec<Finding>,
    /// Tokens whose every condition is met, once the findings are committed.
    pub released: Vec<FenceToken>,
    pub heartbeat_us: Option<i64>,
    pub binlog: Option<String>,
    /// As `binlog`, of servers 1, 2, …
    pub also: Vec<(usize, String)>,
    pub kafka: Option<Arc<PartitionOffsets>>,
    /// Events that no rule can see.
    pub aside: Vec<DeadLetter>,
    /// Where a restart begins to read: binlog, then Kafka.
    pub replay: Option<(String, Option<String>)>,
    /// As `replay`, of servers 1, 2, …
    pub replay_also: Vec<String>,
    pub holds: Option<Arc<Vec<String>>>,
    pub rules_hash: Arc<str>,
    pub rules_version: i64,
    pub pairs: usize,
}

pub struct StreamEvaluatorSettings {
    /// Of every server, the one with orders and guard first: what it is, its name in
    /// positions, and where this run begins to read its binlog.
    pub flavours: Vec<Flavour>,
    pub names: Arc<[String]>,
    pub positions: Vec<String>,
    /// What waits for the other servers, if there are any.
    pub elsewhere: Option<ServerGate>,
    /// Told when Kafka is read to its end.
    pub kafka_activity: LastActivity,
    pub rules: Arc<RuleSet>,
    pub reloads: watch::Receiver<Option<Arc<RuleSet>>>,
    /// None without Kafka: tokens then wait for nothing.
    pub bell: Option<EndOffsetRequests>,
    pub metrics: &'static SidecarMetrics,
    /// From when on Kafka is read, if no checkpoint says it.
    pub kafka_from_us: Option<i64>,
    /// Records what is evaluated.
    pub tap: Option<RecordingTap>,
    /// Reading begins in the middle: nothing before `position` is read again.
    pub mid_stream: bool,
    /// Threads that evaluate; the result is the same.
    pub workers: usize,
}

/// The queue of results to the committer.
pub fn results() -> (mpsc::Sender<EvaluatedBatch>, mpsc::Receiver<EvaluatedBatch>) {
    mpsc::channel(MAX_QUEUED_RESULTS)
}

pub struct StreamEvaluator {
    evaluator: RuleWorkers,
    unlogged: UnloggedChangeRule,
    tap: Option<RecordingTap>,
    reloads: watch::Receiver<Option<Arc<RuleSet>>>,
    rules_hash: Arc<str>,
    rules_version: i64,
    bell: Option<EndOffsetRequests>,
    metrics: &'static SidecarMetrics,
    holds_version: Option<u64>,
    errors: HashMap<String, u64>,
    waiting: VecDeque<(u64, FenceToken)>,
    passages: VecDeque<KafkaEndOffsets>,
    read: Arc<PartitionOffsets>,
    elsewhere: Option<ServerGate>,
    binlog_resume_points: ResumePoints<ServerPositions>,
    kafka_resume_points: Option<ResumePoints<Arc<PartitionOffsets>>>,
    kafka_activity: LastActivity,
    flavours: Vec<Flavour>,
    names: Arc<[String]>,
    positions: Vec<String>,
    replay_us: i64,
    out: EvaluatedBatch,
}

impl StreamEvaluator {
    pub fn new(mut settings: StreamEvaluatorSettings) -> anyhow::Result<Self> {
        if let Some(tap) = &mut settings.tap {
            tap.mark(Noted::Begin {
                mid_stream: settings.mid_stream,
                rules: settings.rules.hash().into(),
            });
        }
        let rules_hash = settings.rules.hash().into();
        let rules_version = settings.rules.version();
        let mut evaluator = RuleWorkers::new(settings.rules, settings.workers, false)?;
        evaluator.begins(settings.kafka_from_us)?;
        Ok(StreamEvaluator {
            rules_hash,
            rules_version,
            evaluator,
            unlogged: UnloggedChangeRule::load()?,
            tap: settings.tap,
            reloads: settings.reloads,
            bell: settings.bell,
            metrics: settings.metrics,
            holds_version: None,
            errors: HashMap::new(),
            waiting: VecDeque::new(),
            passages: VecDeque::new(),
            read: Arc::default(),
            elsewhere: settings.elsewhere,
            binlog_resume_points: ResumePoints::new(ServerPositions::parse(
                &settings.flavours,
                &settings.names,
                &settings.positions,
            )?),
            kafka_resume_points: None,
            kafka_activity: settings.kafka_activity,
            flavours: settings.flavours,
            names: settings.names,
            positions: settings.positions,
            replay_us: 0,
            out: EvaluatedBatch::default(),
        })
    }

    /// Evaluates until the sources are gone.
    ///
    /// # Errors
    /// A thread that evaluates died.
    pub fn run(
        mut self,
        feed: &Receiver<SourceMessage>,
        results: &mpsc::Sender<EvaluatedBatch>,
    ) -> anyhow::Result<()> {
        loop {
            let next = feed.recv_timeout(RELOAD_POLL_INTERVAL);
            self.reload()?;
            match next {
                Ok(SourceMessage::Binlog(batch)) => self.binlog(batch),
                Ok(SourceMessage::Kafka(batch)) => self.kafka(batch),
                Ok(SourceMessage::Passage(passage)) => self.passages.push_back(passage),
                Ok(SourceMessage::Elsewhere(answer)) => {
                    if let Some(elsewhere) = &mut self.elsewhere {
                        elsewhere.answered(answer);
                    }
                }
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            let passed = self
                .elsewhere
                .as_mut()
                .map(ServerGate::passed)
                .unwrap_or_default();
            passed.into_iter().for_each(|mark| self.mark(mark));
            self.pass();
            self.evaluator.flush(&mut self.out.findings)?;
            self.finish();
            // Full: the committer is behind, and so is everything before us.
            if results
                .blocking_send(std::mem::take(&mut self.out))
                .is_err()
            {
                return Ok(());
            }
        }
    }

    fn reload(&mut self) -> anyhow::Result<()> {
        if !self.reloads.has_changed().unwrap_or(false) {
            return Ok(());
        }
        let Some(rules) = self.reloads.borrow_and_update().clone() else {
            return Ok(());
        };
        if (rules.hash(), rules.version()) != (&*self.rules_hash, self.rules_version) {
            (self.rules_hash, self.rules_version) = (rules.hash().into(), rules.version());
            if let Some(tap) = &mut self.tap {
                tap.mark(Noted::Rules {
                    hash: Arc::clone(&self.rules_hash),
                });
            }
            self.evaluator.swap(rules)?;
        }
        Ok(())
    }

    fn evaluate(&mut self, input: &RuleInput) {
        if let Some(tap) = &mut self.tap {
            tap.input(input);
        }
        self.evaluator.evaluate(input, &mut self.out.findings);
    }

    fn binlog(&mut self, batch: BinlogBatch) {
        self.metrics.row_changes.inc_by(batch.changes as u64);
        self.metrics.transactions.inc_by(batch.items.len() as u64);
        for WatchedTransaction {
            transaction,
            control_rows,
            unlogged,
        } in batch.items
        {
            let found = unlogged.iter().map(|u| {
                self.unlogged
                    .finding(&transaction.position, u.table, u.count, &u.text)
            });
            self.out.findings.extend(found);
            self.evaluate(&RuleInput::Transaction(transaction));
            for mark in control_rows {
                match &mut self.elsewhere {
                    Some(elsewhere) => elsewhere.wait(mark),
                    None => self.mark(mark),
                }
            }
        }
        self.reached(batch.server, batch.position);
    }

    /// Everything of this server up to here was evaluated.
    fn reached(&mut self, server: usize, position: String) {
        if let Some(place) = self.positions.get_mut(server) {
            place.clone_from(&position);
        }
        let (flavours, names, positions) = (&self.flavours, &self.names, &self.positions);
        self.binlog_resume_points.reached(now_us(), || {
            ServerPositions::parse(flavours, names, positions).ok()
        });
        if server == 0 {
            self.out.binlog = Some(position);
            return;
        }
        let parsed = self
            .flavours
            .get(server)
            .and_then(|flavour| GtidSet::parse(*flavour, &position).ok());
        if let (Some(elsewhere), Some(parsed)) = (&mut self.elsewhere, parsed) {
            elsewhere.reached(server, parsed);
        }
        self.out.also.push((server, position));
    }

    /// The row's transaction was evaluated before, and so was what the other servers
    /// had by then.
    fn mark(&mut self, mark: ControlRow) {
        match mark {
            // Only our own clock moves the watermark: a core whose clock is ahead
            // must not make others look late.
            ControlRow::Heartbeat { updated_us } => {
                self.evaluate(&RuleInput::Watermark {
                    source: SourceKind::Binlog,
                    at_us: updated_us,
                });
                self.out.heartbeat_us = Some(updated_us);
            }
            ControlRow::Token(token) => match &self.bell {
                None => self.out.released.push(token),
                Some(bell) => {
                    let number = bell.ring();
                    self.wait(number, token);
                }
            },
        }
    }

    fn wait(&mut self, number: u64, token: FenceToken) {
        self.waiting.push_back((number, token));
        if self.waiting.len() > MAX_WAITING_TOKENS {
            let newest: HashMap<String, u64> = self
                .waiting
                .iter()
                .map(|(n, t)| (t.instance.clone(), *n))
                .collect();
            self.waiting
                .retain(|(n, t)| newest.get(&t.instance) == Some(n));
        }
    }

    fn kafka(&mut self, batch: KafkaBatch) {
        self.metrics.events.inc_by(batch.events.len() as u64);
        for event in batch.events {
            self.evaluate(&RuleInput::Event(event));
        }
        self.out.aside = batch.aside;
        let offsets = batch.offsets;
        let resume_points = self
            .kafka_resume_points
            .get_or_insert_with(|| ResumePoints::new(Arc::clone(&offsets)));
        resume_points.reached(now_us(), || Some(Arc::clone(&offsets)));
        self.read = Arc::clone(&offsets);
        self.out.kafka = Some(offsets);
    }

    /// Lets through what Kafka's ends allow by now.
    fn pass(&mut self) {
        while self
            .passages
            .front()
            .is_some_and(|passage| self.read.reached(&passage.ends))
        {
            let Some(passage) = self.passages.pop_front() else {
                return;
            };
            self.kafka_activity.now();
            self.evaluate(&RuleInput::Watermark {
                source: SourceKind::Kafka,
                at_us: passage.at_us,
            });
            while self
                .waiting
                .front()
                .is_some_and(|(number, _)| *number <= passage.seen)
            {
                self.out
                    .released
                    .extend(self.waiting.pop_front().map(|(_, token)| token));
            }
        }
        // What an older question asks for, a newer one asks for too.
        if self.passages.len() > MAX_PENDING_END_OFFSETS {
            self.passages.drain(1..self.passages.len() - 1);
        }
    }

    fn finish(&mut self) {
        if let Some(tap) = &mut self.tap {
            tap.hand_over();
        }
        let version = self.evaluator.holds_version();
        if self.holds_version != Some(version) {
            self.holds_version = Some(version);
            // Without Kafka the other half of a pair can't come: nothing waits for it.
            let holds = if self.bell.is_some() {
                self.evaluator.holds()
            } else {
                Vec::new()
            };
            self.out.holds = Some(Arc::new(holds));
        }
        self.out.pairs = self.evaluator.open_pairs();
        self.metrics
            .pairs_lagging
            .set(i64::try_from(self.evaluator.lagging()).unwrap_or(i64::MAX));
        self.out.rules_hash = Arc::clone(&self.rules_hash);
        self.out.rules_version = self.rules_version;
        let now = now_us();
        if now.saturating_sub(self.replay_us) >= RESUME_POSITION_INTERVAL_US {
            self.replay_us = now;
            let needed = self.evaluator.needs_from(SourceKind::Binlog);
            let places = self
                .binlog_resume_points
                .before(needed.as_deref())
                .map(ServerPositions::render)
                .unwrap_or_default();
            let mut places = places.into_iter();
            let binlog = places.next().unwrap_or_default();
            self.out.replay_also = places.collect();
            let needed = self.evaluator.needs_from(SourceKind::Kafka);
            let kafka = self
                .kafka_resume_points
                .as_mut()
                .and_then(|resume_points| resume_points.before(needed.as_deref()));
            self.out.replay = Some((binlog, kafka.map(|offsets| offsets.render())));
        }
        self.count_errors();
    }

    fn count_errors(&mut self) {
        for error in self.evaluator.errors() {
            self.metrics
                .rule_errors
                .with_label_values(&[&error.rule])
                .inc();
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
const MAX_PENDING_END_OFFSETS: usize = 64;
