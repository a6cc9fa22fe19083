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
use crate::leader::repo::CheckpointRow;
use crate::metrics::SidecarMetrics;
use crate::pipeline::gate::asker;
use crate::pipeline::gate::kafka_ends::KafkaEndReader;
use crate::pipeline::gate::requests::EndOffsetRequests;
use crate::pipeline::gate::server_ends::{OtherServer, ServerEndReader};
use crate::pipeline::gate::source_gate::SourceGate;
use crate::pipeline::gate::{KafkaGate, ServerGate};
use crate::pipeline::leadership::StartPoints;
use crate::stream::feed::FeedSender;
use crate::stream::gtid::{Flavour, GtidSet};
use crate::stream::offsets::PartitionOffsets;
use crate::stream::position::StartPosition;
use sluice_contract::schema::Schemas;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub type SourceThread = std::thread::JoinHandle<()>;

/// Starts a named thread whose failure or panic is told; it never dies in silence.
pub fn thread(
    name: &'static str,
    died: &mpsc::Sender<anyhow::Error>,
    work: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
) -> anyhow::Result<SourceThread> {
    let died = died.clone();
    let watched = move || {
        let ended = std::panic::catch_unwind(AssertUnwindSafe(work));
        let error = match ended {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.context(name),
            Err(panic) => {
                let said = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or(panic.downcast_ref::<&str>().copied());
                anyhow::anyhow!("{name} panicked: {}", said.unwrap_or("no message"))
            }
        };
        // Full or closed: the leadership is over already.
        let _ = died.try_send(error);
    };
    Ok(std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(watched)?)
}

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
    /// Ends every reader; `feed` gives up with it.
    pub cancel: &'a CancellationToken,
    pub blind: &'a Blind,
    pub status: &'a SidecarStatus,
    pub metrics: &'static SidecarMetrics,
    pub died: &'a mpsc::Sender<anyhow::Error>,
    /// Begins empty.
    pub threads: Vec<SourceThread>,
}

impl SourceReaders<'_> {
    fn start(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        self.threads.push(thread(name, self.died, work)?);
        Ok(())
    }

    /// Returns all threads; the feed is theirs alone from now on, so that it ends with them.
    pub fn started(self) -> Vec<SourceThread> {
        self.threads
    }

    /// Starts the reader of business events and the asker of Kafka's ends; returns the gate
    /// that the asker serves. `None` without Kafka.
    pub fn kafka(&mut self) -> anyhow::Result<Option<KafkaGate>> {
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
            cancel: self.cancel.clone(),
        };
        // Nobody waits for its end: it may be waiting for brokers that are away.
        thread("sluice-progress", self.died, move || reporter.run())?;
        Ok(Some(SourceGate::new(requests, Arc::default())))
    }

    fn kafka_reader(&self, assigned: &Arc<AtomicBool>) -> anyhow::Result<consumer::KafkaReader> {
        let offsets = self.begin.kafka.as_ref();
        Ok(consumer::KafkaReader {
            settings: self.kafka.clone(),
            start: self
                .begin
                .binlogs
                .first()
                .map_or(StartPosition::Now, |(_, start)| *start),
            offsets: offsets
                .map(|row| PartitionOffsets::parse(&row.replay_from))
                .transpose()?,
            from_us: self.begin.kafka_from_us,
            feed: self.feed.clone(),
            blind: self.blind.clone(),
            metrics: self.metrics,
            assigned: Arc::clone(assigned),
        })
    }

    /// Starts the asker of the other servers' ends; returns the gate that it serves. `None`
    /// with one server.
    pub fn server_ends(&mut self) -> anyhow::Result<Option<ServerGate>> {
        let others = self
            .servers
            .iter()
            .zip(self.flavours)
            .zip(&self.begin.binlogs)
            .skip(1);
        let (mut asked, mut read) = (Vec::new(), Vec::new());
        for ((server, flavour), (row, _)) in others {
            let hosts = Arc::clone(&server.hosts);
            asked.push(OtherServer::new(hosts, *flavour, server.blind.clone()));
            read.push(GtidSet::parse(*flavour, &row.replay_from)?);
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
        &mut self,
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
        (row, start): &(CheckpointRow, StartPosition),
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
            position: row.replay_from.clone(),
            start: *start,
        };
        let (feed, blind) = (self.feed.clone(), server.blind.clone());
        let mut reader = reader::BinlogReader::new(settings, feed, blind)?.over(
            Arc::clone(&server.hosts),
            server.heard.clone(),
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
        (row, start): &(CheckpointRow, StartPosition),
    ) -> Option<debezium::reader::ChangeFeedReader> {
        let changes = self.kafka.changes.as_ref()?;
        self.blind.set(BlindCause::Binlog, "connecting");
        Some(debezium::reader::ChangeFeedReader {
            settings: self.kafka.clone(),
            prefix: changes.prefix.clone(),
            schemas: self.schemas.clone(),
            position: row.replay_from.clone(),
            start: *start,
            feed: self.feed.clone(),
            blind: self.blind.clone(),
            heard: self.servers.first()?.heard.clone(),
        })
    }
}
