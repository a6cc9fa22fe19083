//! Reader threads of a leadership: one for each server's binlog, those of Kafka, and those
//! that ask where the sources end.

use crate::binlog::reader;
use crate::binlog::servers::SourceServer;
use crate::debezium;
use crate::health::blind::{Blind, BlindCause};
use crate::health::status::SidecarStatus;
use crate::kafka::consumer;
use crate::kafka::group_offsets::GroupOffsetReporter;
use crate::kafka::settings::KafkaSourceSettings;
use crate::leader::checkpoint_repo::CheckpointRow;
use crate::metrics::SidecarMetrics;
use crate::pipeline::gate::asker;
use crate::pipeline::gate::kafka_ends::KafkaEndReader;
use crate::pipeline::gate::requests::EndOffsetRequests;
use crate::pipeline::gate::server_ends::{OtherServer, ServerEndReader};
use crate::pipeline::gate::source_gate::SourceGate;
use crate::pipeline::gate::{KafkaGate, ServerGate};
use crate::pipeline::leadership::stage_thread;
use crate::pipeline::leadership::start_points::StartPoints;
use crate::stream::feed::FeedSender;
use crate::stream::gtid::{Flavour, GtidSet};
use crate::stream::offsets::PartitionOffsets;
use crate::stream::position::StartPosition;
use sluice_contract::schema::Schemas;
use sluice_contract::supervisor::Supervisor;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Starts the readers of a leadership, one source after the other.
pub struct SourceReaders<'a> {
    pub servers: &'a [SourceServer],
    pub schemas: &'a Schemas,
    /// This sidecar as a replica.
    pub server_id: u32,
    pub kafka: &'a KafkaSourceSettings,
    pub begin: &'a StartPoints,
    pub flavours: &'a [Flavour],
    pub feed: FeedSender,
    /// Parts of the leadership: `feed` gives up when they stop.
    pub parts: &'a Supervisor,
    /// Parts that nobody waits for.
    pub reports: &'a Supervisor,
    pub blind: &'a Blind,
    pub status: &'a SidecarStatus,
    pub metrics: &'static SidecarMetrics,
}

impl SourceReaders<'_> {
    /// Starts a thread that reads.
    fn start(
        &self,
        name: &'static str,
        work: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        stage_thread::spawn(self.parts, name, work)
    }

    /// Starts the reader of business events and the asker of Kafka's ends; returns the gate
    /// that the asker serves. `None` without Kafka.
    pub fn kafka(&self) -> anyhow::Result<Option<KafkaGate>> {
        if self.kafka.brokers.is_empty() {
            return Ok(None);
        }
        let assigned = Arc::new(AtomicBool::new(false));
        let reader = self.kafka_reader(&assigned)?;
        self.start("sluice-kafka", move || reader.run())?;
        let (requests, queue) = EndOffsetRequests::new();
        let (settings, blind, feed) = (self.kafka.clone(), self.blind.clone(), self.feed.clone());
        self.start("sluice-kafka-ends", move || {
            asker::run(
                KafkaEndReader::new(&settings, assigned, blind)?,
                &queue,
                &feed,
            )
        })?;
        let reporter = GroupOffsetReporter {
            settings: self.kafka.clone(),
            status: self.status.clone(),
            blind: self.blind.clone(),
            cancel: self.reports.stop_token(),
        };
        // Nobody waits for its end: it may be waiting for brokers that are away.
        self.reports
            .spawn_thread("sluice-progress", move || reporter.run())?;
        Ok(Some(SourceGate::new(requests, Arc::default())))
    }

    fn kafka_reader(&self, assigned: &Arc<AtomicBool>) -> anyhow::Result<consumer::KafkaReader> {
        let offsets = self.begin.kafka_from();
        Ok(consumer::KafkaReader {
            settings: self.kafka.clone(),
            start: self
                .begin
                .binlogs
                .first()
                .map_or(StartPosition::Now, |(_, start)| *start),
            offsets: offsets.map(PartitionOffsets::parse).transpose()?,
            from_us: self.begin.kafka_from_us,
            feed: self.feed.clone(),
            blind: self.blind.clone(),
            metrics: self.metrics,
            assigned: Arc::clone(assigned),
        })
    }

    /// Starts the asker of the other servers' ends; returns the gate that it serves. `None`
    /// with one server.
    pub fn server_ends(&self) -> anyhow::Result<Option<ServerGate>> {
        let others = self.servers.iter().zip(self.flavours).enumerate().skip(1);
        let (mut asked, mut read) = (Vec::new(), Vec::new());
        for (number, (server, flavour)) in others {
            let hosts = Arc::clone(&server.hosts);
            asked.push(OtherServer::new(hosts, *flavour, server.blind.clone()));
            read.push(GtidSet::parse(*flavour, self.begin.read_from(number))?);
        }
        if asked.is_empty() {
            return Ok(None);
        }
        let (requests, queue) = EndOffsetRequests::new();
        let feed = self.feed.clone();
        self.start("sluice-server-ends", move || {
            asker::run(ServerEndReader::new(asked)?, &queue, &feed)
        })?;
        Ok(Some(SourceGate::new(requests, read)))
    }

    /// Starts a reader for each server. `moved` is cancelled when another host took over,
    /// `lost` told when the first server's position may be given up.
    pub fn binlogs(
        &self,
        moved: &CancellationToken,
        lost: Option<&mpsc::Sender<()>>,
    ) -> anyhow::Result<()> {
        let begin = self.begin;
        for (number, begun) in begin.binlogs.iter().enumerate() {
            if number == 0
                && let Some(reader) = self.changes(begun)
            {
                self.start("sluice-changes", move || reader.run())?;
                continue;
            }
            // A gap is closed on the first server only; another one's waits for a person.
            let lost = lost.filter(|_| number == 0);
            if let Some(reader) = self.binlog(number, begun, moved, lost)? {
                self.start("sluice-binlog", move || reader.run())?;
            }
        }
        Ok(())
    }

    fn binlog(
        &self,
        number: usize,
        (_, start): &(CheckpointRow, StartPosition),
        moved: &CancellationToken,
        lost: Option<&mpsc::Sender<()>>,
    ) -> anyhow::Result<Option<reader::BinlogReader>> {
        let (Some(server), Some(flavour)) = (self.servers.get(number), self.flavours.get(number))
        else {
            return Ok(None);
        };
        let settings = reader::BinlogReaderSettings {
            url: server.hosts.url().to_owned(),
            server_id: self.server_id,
            schemas: self.schemas.clone(),
            flavour: *flavour,
            position: self.begin.read_from(number).to_owned(),
            start: *start,
        };
        let (feed, blind) = (self.feed.clone(), server.blind.clone());
        let mut reader = reader::BinlogReader::new(settings, feed, blind)?.over(
            Arc::clone(&server.hosts),
            server.last_activity.clone(),
            moved.clone(),
        );
        if let Some(lost) = lost {
            reader = reader.telling(lost.clone());
        }
        if self.servers.len() > 1 {
            reader = reader.of_server(number, &server.name, server.watch(self.schemas));
        }
        Ok(Some(reader))
    }

    /// The reader of a change feed, if that takes the first server's place.
    fn changes(
        &self,
        (_, start): &(CheckpointRow, StartPosition),
    ) -> Option<debezium::reader::ChangeFeedReader> {
        let changes = self.kafka.changes.as_ref()?;
        self.blind.set(BlindCause::Binlog, "connecting");
        Some(debezium::reader::ChangeFeedReader {
            settings: self.kafka.clone(),
            prefix: changes.prefix.clone(),
            schemas: self.schemas.clone(),
            position: self.begin.read_from(0).to_owned(),
            start: *start,
            feed: self.feed.clone(),
            blind: self.blind.clone(),
            last_activity: self.servers.first()?.last_activity.clone(),
        })
    }
}
