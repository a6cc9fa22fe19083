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
use anyhow::Context;
use crossbeam_channel::Receiver;
use sluice_contract::settings::Secret;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Replica ids of recorders begin here, apart from sidecars'.
const FIRST_SERVER_ID: u32 = 2_000_000_000;

pub type RecorderThread = JoinHandle<()>;

/// Starts the threads of one recording.
pub struct RecorderThreads<'a> {
    config: &'a SidecarConfig,
    blind: &'a Blind,
    feed: FeedSender,
    fed: Receiver<SourceMessage>,
    threads: Vec<RecorderThread>,
}

impl<'a> RecorderThreads<'a> {
    /// Nothing is started yet; `cancel` will end all of it.
    pub fn new(config: &'a SidecarConfig, blind: &'a Blind, cancel: &CancellationToken) -> Self {
        let (feed, fed) = crossbeam_channel::bounded(MAX_QUEUED_MESSAGES);
        RecorderThreads {
            config,
            blind,
            feed: FeedSender::new(feed, cancel.clone()),
            fed,
            threads: Vec::new(),
        }
    }

    /// Starts everything, the binlog from `position` on.
    pub fn start(
        mut self,
        flavour: Flavour,
        position: String,
        recorder: &Recorder,
    ) -> anyhow::Result<Vec<RecorderThread>> {
        let kafka_gate = self.kafka()?;
        self.binlog(flavour, position.clone())?;
        let settings = evaluator(flavour, position, kafka_gate, recorder)?;
        let worker = evaluate::StreamEvaluator::new(settings)?;
        let (results, mut evaluated) = evaluate::results();
        let fed = self.fed.clone();
        self.spawn("record-evaluate", move || worker.run(&fed, &results))?;
        self.spawn("record-results", move || {
            while evaluated.blocking_recv().is_some() {}
            Ok(())
        })?;
        Ok(self.threads)
    }

    fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let told = name.to_owned();
        let work = move || {
            if let Err(error) = work() {
                tracing::error!("{told}: {error:#}");
            }
        };
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(work);
        self.threads
            .push(thread.context("a thread of the recorder")?);
        Ok(())
    }

    fn binlog(&mut self, flavour: Flavour, position: String) -> anyhow::Result<()> {
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
        self.spawn("record-binlog", move || reader.run())
    }

    fn kafka(&mut self) -> anyhow::Result<Option<KafkaGate>> {
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
        self.spawn("record-kafka", move || reader.run())?;
        let (requests, queue) = EndOffsetRequests::new();
        let (feed, blind) = (self.feed.clone(), self.blind.clone());
        self.spawn("record-kafka-ends", move || {
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
        rules: Arc::new(no_rules),
        reloads,
        metrics: metrics()?,
        tap: recorder.tap(),
        mid_stream: true,
        workers: 1,
    })
}
