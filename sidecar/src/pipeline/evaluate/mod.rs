//! The evaluator's thread: the one place that knows what was evaluated. Every message of the
//! feed goes through the same phases, without a round trip to any server:
//!
//! | phase | where |
//! |---|---|
//! | take over a new rule set | `reload` |
//! | evaluate changes and events; end offsets go to their gate | `inputs` |
//! | let control rows pass their gates | `inputs::pass_gates` |
//! | collect the findings of all workers | `RuleWorkers::flush` |
//! | name the requests that findings are about, and trace | `following` |
//! | hand the inputs to shadow, or drop them | `finish` |
//! | add holds, resume position and rule set | `finish` |
//! | hand the result to the committer | a bounded queue |

mod batch;
mod finish;
mod following;
mod freeze;
mod inputs;
mod progress;
mod replay;
mod uses;

pub use crate::pipeline::evaluate::batch::{EvaluatedBatch, results};
pub use crate::pipeline::evaluate::freeze::StateFreezing;
pub use crate::pipeline::evaluate::progress::RestoredPositions;
pub use crate::pipeline::evaluate::replay::ReplayMeter;

use crate::health::last_activity::LastActivity;
use crate::metrics::SidecarMetrics;
use crate::pipeline::evaluate::progress::SourceProgress;
use crate::pipeline::evaluate::uses::ArmedUses;
use crate::pipeline::gate::{KafkaGate, ServerGate};
use crate::pipeline::shadow::ShadowTap;
use crate::recording::{RecordingMark, RecordingTap};
use crate::rules::runtime::rule_selection::RuleSelection;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::{RuleWorkers, UnloggedChangeRule};
use crate::stream::change::ChangeTransaction;
use crate::stream::feed::SourceMessage;
use crate::stream::gtid::Flavour;
use crate::stream::offsets::PartitionOffsets;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use sluice_contract::clock::now_us;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// A new rule set is taken over after this time when nothing else happens.
const RELOAD_POLL_INTERVAL: Duration = Duration::from_millis(100);

pub struct StreamEvaluatorSettings {
    /// Of every server, the one with orders and guard first: what it is, its name in
    /// positions, and where this run begins to read its binlog.
    pub flavours: Vec<Flavour>,
    pub names: Arc<[String]>,
    pub positions: Vec<String>,
    /// Holds control rows for the other servers, if there are any.
    pub server_gate: Option<ServerGate>,
    /// Holds tokens for Kafka. None without Kafka: they then wait for nothing.
    pub kafka_gate: Option<KafkaGate>,
    /// Touched when Kafka is read to its end.
    pub kafka_activity: LastActivity,
    pub rules: Arc<RuleSet>,
    pub reloads: watch::Receiver<Option<Arc<RuleSet>>>,
    pub metrics: &'static SidecarMetrics,
    /// From when on Kafka is read, if no checkpoint says it.
    pub kafka_from_us: Option<i64>,
    /// Offsets of Kafka up to which the checkpoint says that events were evaluated.
    pub kafka_judged: Option<PartitionOffsets>,
    /// Records what is evaluated.
    pub tap: Option<RecordingTap>,
    /// Reading begins in the middle: nothing before `position` is read again.
    pub mid_stream: bool,
    /// Threads that evaluate; the result is the same.
    pub workers: usize,
    /// Hands the inputs to rules in shadow, which are not evaluated here.
    pub shadow: Option<ShadowTap>,
    /// Processor time that an armed rule may take in a second before somebody is told.
    pub cpu_per_second: Duration,
    /// Rules that remember what was written, and what a reading without it needs.
    pub restored: Option<RestoredStart>,
    /// Freezes what rules remember from time to time, if it is to be written.
    pub freezing: Option<StateFreezing>,
    /// Our clock is ahead of the one that led before, by more than a pair may be judged by.
    pub clock_jumps: bool,
    /// Told what is read again, up to the checkpoint's position of the first server.
    pub replay: Option<ReplayMeter>,
}

/// Rules as they were when their memory was written.
pub struct RestoredStart {
    pub workers: RuleWorkers,
    pub positions: RestoredPositions,
}

pub struct StreamEvaluator {
    evaluator: RuleWorkers,
    unlogged: UnloggedChangeRule,
    tap: Option<RecordingTap>,
    shadow: Option<ShadowTap>,
    rules: Arc<RuleSet>,
    uses: ArmedUses,
    reloads: watch::Receiver<Option<Arc<RuleSet>>>,
    rules_hash: Arc<str>,
    rules_version: i64,
    metrics: &'static SidecarMetrics,
    holds_version: Option<u64>,
    errors: HashMap<String, u64>,
    server_gate: Option<ServerGate>,
    kafka_gate: Option<KafkaGate>,
    kafka_activity: LastActivity,
    progress: SourceProgress,
    freezing: Option<StateFreezing>,
    replay: Option<ReplayMeter>,
    /// Transactions of the message under way.
    evaluated: Vec<Arc<ChangeTransaction>>,
    out: EvaluatedBatch,
}

impl StreamEvaluator {
    pub fn new(mut settings: StreamEvaluatorSettings) -> anyhow::Result<Self> {
        if let Some(tap) = &mut settings.tap {
            tap.mark(RecordingMark::Begin {
                mid_stream: settings.mid_stream,
                rules: settings.rules.hash().into(),
            });
        }
        let rules_hash = settings.rules.hash().into();
        let rules_version = settings.rules.version();
        let rules = settings.rules;
        let workers = settings.workers;
        let progress = SourceProgress::new(settings.flavours, settings.names, settings.positions)?;
        let (mut evaluator, progress) = match settings.restored {
            Some(restored) => (restored.workers, progress.restored(restored.positions)?),
            None => {
                let mut new = RuleWorkers::new(Arc::clone(&rules), workers, RuleSelection::Armed)?;
                new.begins(settings.kafka_from_us, settings.kafka_judged)?;
                (new, progress)
            }
        };
        if settings.clock_jumps {
            evaluator.doubt_until(now_us())?;
        }
        Ok(StreamEvaluator {
            rules_hash,
            rules_version,
            evaluator,
            unlogged: UnloggedChangeRule::load()?,
            tap: settings.tap,
            shadow: settings.shadow,
            rules,
            uses: ArmedUses::new(settings.cpu_per_second),
            reloads: settings.reloads,
            metrics: settings.metrics,
            holds_version: None,
            errors: HashMap::new(),
            server_gate: settings.server_gate,
            kafka_gate: settings.kafka_gate,
            kafka_activity: settings.kafka_activity,
            progress,
            freezing: settings.freezing,
            replay: settings.replay,
            evaluated: Vec::new(),
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
            let begun_us = now_us();
            match next {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => {
                    self.freeze_last()?;
                    // Nobody takes it any more if it can't be sent.
                    drop(results.blocking_send(std::mem::take(&mut self.out)));
                    return Ok(());
                }
            }
            self.pass_gates();
            self.evaluator.flush(&mut self.out.findings)?;
            self.follow(begun_us);
            self.finish();
            self.freeze_if_due()?;
            // Full: the committer is behind, and so is everything before us.
            let result = std::mem::take(&mut self.out);
            if results.blocking_send(result).is_err() {
                return Ok(());
            }
        }
    }

    fn take(&mut self, message: SourceMessage) {
        match message {
            SourceMessage::Binlog(batch) => self.binlog(batch),
            SourceMessage::Kafka(batch) => self.kafka(batch),
            SourceMessage::KafkaEnds(answer) => {
                if let Some(gate) = &mut self.kafka_gate {
                    gate.answered(answer);
                }
            }
            SourceMessage::ServerEnds(answer) => {
                if let Some(gate) = &mut self.server_gate {
                    gate.answered(answer);
                }
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
                tap.mark(RecordingMark::Rules {
                    hash: Arc::clone(&self.rules_hash),
                });
            }
            self.publish_uses(true);
            if let Some(shadow) = &mut self.shadow {
                shadow.swap(&rules);
            }
            self.rules = Arc::clone(&rules);
            self.evaluator.swap(rules)?;
        }
        Ok(())
    }
}
