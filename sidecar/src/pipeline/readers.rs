//! The threads of a reign that read: one for each server's binlog, those of Kafka, and
//! those that ask how far the sources are.

use crate::binlog::reader;
use crate::debezium;
use crate::health::blind::BlindCause;
use crate::kafka::consumer;
use crate::kafka::group_offsets::GroupOffsetReporter;
use crate::leader::checkpoint_repo::CheckpointRow;
use crate::pipeline::gate::barrier;
use crate::pipeline::gate::elsewhere::{self, OtherServer, ServerGate};
use crate::pipeline::leadership::LeadershipContext;
use crate::pipeline::leadership::start_points::StartPoints;
use crate::stream::feed::SourceMessage;
use crate::stream::gtid::{Flavour, GtidSet};
use crate::stream::offsets::PartitionOffsets;
use crate::stream::position::StartPosition;
use crossbeam_channel::Sender;
use sluice_contract::supervisor::Supervisor;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Time between a reader's return and its report as a part that ended.
const RETURN_GRACE: Duration = Duration::from_secs(5);
/// How often a reader that returned looks for the stop.
const RETURN_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Readers of a leadership, while they are started.
pub struct SourceReaders<'a> {
    pub context: &'a LeadershipContext,
    pub begin: &'a StartPoints,
    pub flavours: &'a [Flavour],
    /// Dropped with this: the queue ends with the readers that were started.
    pub feed: Sender<SourceMessage>,
    pub parts: &'a Supervisor,
    /// Parts that nobody waits for.
    pub reports: &'a Supervisor,
}

impl SourceReaders<'_> {
    /// Starts a thread that reads. One that returns of itself waits a little for the stop:
    /// another host took over, or the evaluator died and the queue closed, and then that
    /// is what is to be named. Past it the return counts as the part's end.
    fn start(
        &self,
        name: &'static str,
        work: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let stop = self.parts.stop_token();
        self.parts.spawn_thread(name, move || {
            work()?;
            let returned = Instant::now();
            while !stop.is_cancelled() && returned.elapsed() < RETURN_GRACE {
                std::thread::sleep(RETURN_POLL_INTERVAL);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Business events, and who asks Kafka for its ends. `None` without Kafka.
    pub fn kafka(&self) -> anyhow::Result<Option<barrier::EndOffsetRequests>> {
        let context = self.context;
        let settings = &context.settings.kafka;
        if settings.brokers.is_empty() {
            return Ok(None);
        }
        let assigned = Arc::new(AtomicBool::new(false));
        let offsets = self
            .begin
            .kafka
            .as_ref()
            .map(|row| PartitionOffsets::parse(&row.replay_from))
            .transpose()?;
        let reader = consumer::KafkaReader {
            settings: settings.clone(),
            start: self
                .begin
                .binlogs
                .first()
                .map_or(StartPosition::Now, |(_, start)| *start),
            offsets,
            from_us: self.begin.kafka_from_us,
            feed: self.feed.clone(),
            blind: context.health.blind.clone(),
            metrics: context.health.metrics,
            cancel: self.parts.stop_token(),
            assigned: Arc::clone(&assigned),
        };
        let (blind, cancel) = (context.health.blind.clone(), self.parts.stop_token());
        let (barrier, bell) =
            barrier::barrier(settings.clone(), self.feed.clone(), blind, cancel, assigned);
        self.start("sluice-kafka", move || reader.run())?;
        self.start("sluice-barrier", move || barrier.run())?;
        let progress = GroupOffsetReporter {
            settings: settings.clone(),
            status: context.health.status.clone(),
            blind: context.health.blind.clone(),
            cancel: self.reports.stop_token(),
        };
        // Nobody waits for its end: it may be waiting for brokers that are away.
        self.reports
            .spawn_thread("sluice-progress", move || progress.run())?;
        Ok(Some(bell))
    }

    /// With several servers: who asks the others how far they are.
    pub fn asker(&self) -> anyhow::Result<Option<ServerGate>> {
        let others = self
            .context
            .servers
            .iter()
            .zip(self.flavours)
            .zip(&self.begin.binlogs)
            .skip(1);
        let (mut asked, mut read) = (Vec::new(), Vec::new());
        for ((server, flavour), (row, _)) in others {
            asked.push(OtherServer {
                hosts: Arc::clone(&server.hosts),
                flavour: *flavour,
                blind: server.blind.clone(),
            });
            read.push(GtidSet::parse(*flavour, &row.replay_from)?);
        }
        if asked.is_empty() {
            return Ok(None);
        }
        let (asker, bell) = elsewhere::asker(asked, self.feed.clone(), self.parts.stop_token());
        self.start("sluice-elsewhere", move || asker.run())?;
        Ok(Some(ServerGate::new(bell, read)))
    }

    /// A reader for each server. `moved` is cancelled when another host took over,
    /// `lost` told when the first server's position may be given up.
    pub fn binlogs(
        &self,
        moved: &CancellationToken,
        lost: Option<&mpsc::Sender<()>>,
    ) -> anyhow::Result<()> {
        let context = self.context;
        for (number, (server, flavour)) in context.servers.iter().zip(self.flavours).enumerate() {
            let Some(begun) = self.begin.binlogs.get(number) else {
                continue;
            };
            if number == 0
                && let Some(reader) = self.changes(begun)
            {
                self.start("sluice-changes", move || reader.run())?;
                continue;
            }
            let (row, start) = begun;
            let settings = reader::BinlogReaderSettings {
                url: server.hosts.url().to_owned(),
                server_id: context.settings.server_id,
                schemas: context.db.schemas.clone(),
                flavour: *flavour,
                position: row.replay_from.clone(),
                start: *start,
            };
            let (feed, blind, cancel) = (
                self.feed.clone(),
                server.blind.clone(),
                self.parts.stop_token(),
            );
            let mut reader = reader::BinlogReader::new(settings, feed, blind, cancel)?;
            reader = reader.over(
                Arc::clone(&server.hosts),
                server.heard.clone(),
                moved.clone(),
            );
            // A gap is closed on the first server only; another one's waits for a person.
            if let Some(lost) = lost.filter(|_| number == 0) {
                reader = reader.telling(lost.clone());
            }
            if context.servers.len() > 1 {
                reader = reader.of_server(number, &server.name, server.watch(&context.db.schemas));
            }
            self.start("sluice-binlog", move || reader.run())?;
        }
        Ok(())
    }

    /// The reader of a change feed, if that takes the first server's place.
    fn changes(
        &self,
        (row, start): &(CheckpointRow, StartPosition),
    ) -> Option<debezium::reader::ChangeFeedReader> {
        let changes = self.context.settings.kafka.changes.as_ref()?;
        self.context
            .health
            .blind
            .set(BlindCause::Binlog, "connecting");
        Some(debezium::reader::ChangeFeedReader {
            settings: self.context.settings.kafka.clone(),
            prefix: changes.prefix.clone(),
            schemas: self.context.db.schemas.clone(),
            position: row.replay_from.clone(),
            start: *start,
            feed: self.feed.clone(),
            blind: self.context.health.blind.clone(),
            heard: self.context.servers.first()?.heard.clone(),
            cancel: self.parts.stop_token(),
        })
    }
}
