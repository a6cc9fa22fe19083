//! Threads of `sluice record`: the parts of a leadership that read, and an evaluator without
//! rules, which keeps the order in which a real one would have seen it all.

use crate::binlog::reader;
use crate::config::SidecarConfig;
use crate::health::blind::{Blind, BlindCause};
use crate::health::last_activity::LastActivity;
use crate::kafka::consumer;
use crate::metrics::metrics;
use crate::pipeline::gate::kafka_ends::KafkaEndReader;
use crate::pipeline::gate::requests::EndOffsetRequests;
use crate::pipeline::gate::source_gate::SourceGate;
use crate::pipeline::gate::{KafkaGate, asker};
use crate::pipeline::{MAX_QUEUED_MESSAGES, evaluate};
use crate::recording::Recorder;
use crate::rules::RuleFiles;
use crate::rules::runtime::rule_set::RuleSet;
use crate::stream::feed::{FeedSender, SourceMessage};
use crate::stream::gtid::Flavour;
use crate::stream::position::StartPosition;
use crossbeam_channel::Receiver;
use sluice_contract::settings::Secret;
use sluice_contract::supervisor::Supervisor;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::watch;

/// Replica ids of recorders begin here, so that they are no sidecar's.
const FIRST_SERVER_ID: u32 = 2_000_000_000;

/// Starts the threads of one recording.
pub struct RecorderThreads<'a> {
    config: &'a SidecarConfig,
    blind: &'a Blind,
    feed: FeedSender,
    fed: Receiver<SourceMessage>,
    parts: &'a Supervisor,
}

impl<'a> RecorderThreads<'a> {
    /// Prepares the queue; nothing is started yet. All of it ends when `parts` stop.
    pub fn new(config: &'a SidecarConfig, blind: &'a Blind, parts: &'a Supervisor) -> Self {
        let (feed, fed) = crossbeam_channel::bounded(MAX_QUEUED_MESSAGES);
        RecorderThreads {
            config,
            blind,
            feed: FeedSender::new(feed, parts.stop_token()),
            fed,
            parts,
        }
    }

    /// Starts everything, the binlog from `position` on.
    pub fn start(
        self,
        flavour: Flavour,
        position: String,
        recorder: &Recorder,
    ) -> anyhow::Result<()> {
        let kafka_gate = self.kafka()?;
        self.binlog(flavour, position.clone())?;
        let settings = evaluator(flavour, position, kafka_gate, recorder)?;
        let worker = evaluate::StreamEvaluator::new(settings)?;
        let (results, mut evaluated) = evaluate::results();
        let fed = self.fed.clone();
        self.parts
            .spawn_thread("record-evaluate", move || worker.run(&fed, &results))?;
        self.parts.spawn_thread("record-results", move || {
            while evaluated.blocking_recv().is_some() {}
            Ok(())
        })?;
        Ok(())
    }

    fn binlog(&self, flavour: Flavour, position: String) -> anyhow::Result<()> {
        let settings = reader::BinlogReaderSettings {
            url: self.config.mysql.url.clone(),
            server_id: FIRST_SERVER_ID + std::process::id() % 1_000_000_000,
            schemas: self.config.schemas()?,
            flavour,
            position,
            start: StartPosition::Now,
        };
        self.blind.set(BlindCause::Binlog, "connecting");
        let (feed, blind) = (self.feed.clone(), self.blind.clone());
        let reader = reader::BinlogReader::new(settings, feed, blind)?;
        self.parts
            .spawn_thread("record-binlog", move || reader.run())?;
        Ok(())
    }

    fn kafka(&self) -> anyhow::Result<Option<KafkaGate>> {
        if self.config.kafka.brokers.is_empty() {
            return Ok(None);
        }
        let mut settings = self.config.kafka.clone();
        // Never the sidecar's own: it must not lose a partition to us.
        settings.group = format!("{}-record-{}", settings.group, std::process::id());
        self.blind.set(BlindCause::Kafka, "connecting");
        let assigned = Arc::new(AtomicBool::new(false));
        let reader = consumer::KafkaReader {
            settings: settings.clone(),
            start: StartPosition::Now,
            offsets: None,
            from_us: None,
            feed: self.feed.clone(),
            blind: self.blind.clone(),
            metrics: metrics()?,
            assigned: Arc::clone(&assigned),
        };
        self.parts
            .spawn_thread("record-kafka", move || reader.run())?;
        let (requests, queue) = EndOffsetRequests::new();
        let (feed, blind) = (self.feed.clone(), self.blind.clone());
        self.parts.spawn_thread("record-kafka-ends", move || {
            asker::run(
                KafkaEndReader::new(&settings, assigned, blind)?,
                &queue,
                &feed,
            )
        })?;
        Ok(Some(SourceGate::new(requests, Arc::default())))
    }
}

fn evaluator(
    flavour: Flavour,
    position: String,
    kafka_gate: Option<KafkaGate>,
    recorder: &Recorder,
) -> anyhow::Result<evaluate::StreamEvaluatorSettings> {
    let no_rules = RuleSet::build(
        &RuleFiles::default(),
        Secret::new("nothing is verified here"),
    )?;
    // Its sender may go: the last set stays.
    let (_, reloads) = watch::channel(None);
    Ok(evaluate::StreamEvaluatorSettings {
        flavours: vec![flavour],
        names: vec![String::new()].into(),
        positions: vec![position],
        server_gate: None,
        kafka_gate,
        kafka_activity: LastActivity::default(),
        kafka_from_us: None,
        kafka_judged: None,
        rules: Arc::new(no_rules),
        reloads,
        metrics: metrics()?,
        tap: recorder.tap(),
        mid_stream: true,
        workers: 1,
        shadow: None,
        cpu_per_second: Duration::MAX,
        restored: None,
        clock_jumps: false,
        freezing: None,
        replay: None,
    })
}
