//! The threads of a reign that read: one for each server's binlog, those of Kafka, and
//! those that ask how far the sources are.

use crate::binlog::reader;
use crate::context::SidecarContext;
use crate::debezium;
use crate::health::blind::BlindCause;
use crate::kafka::consumer;
use crate::kafka::group_offsets::GroupOffsetReporter;
use crate::leader::repo::CheckpointRow;
use crate::pipeline::gate::barrier;
use crate::pipeline::gate::elsewhere::{self, OtherServer, ServerGate};
use crate::pipeline::leadership::StartPoints;
use crate::stream::feed::SourceMessage;
use crate::stream::gtid::{Flavour, GtidSet};
use crate::stream::offsets::PartitionOffsets;
use crate::stream::position::StartPosition;
use crossbeam_channel::Sender;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub type SourceThread = std::thread::JoinHandle<()>;

/// A named thread whose failure or panic is told; it never dies in silence.
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
        // Full or closed: the reign is over already.
        let _ = died.try_send(error);
    };
    Ok(std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(watched)?)
}

/// What a reign reads, while it is started.
pub struct SourceReaders<'a> {
    pub parts: &'a SidecarContext,
    pub begin: &'a StartPoints,
    pub flavours: &'a [Flavour],
    pub feed: Sender<SourceMessage>,
    pub cancel: &'a CancellationToken,
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

    /// All of them; the feed is theirs alone from now on, so that it ends with them.
    pub fn started(self) -> Vec<SourceThread> {
        self.threads
    }

    /// Business events, and who asks Kafka for its ends. `None` without Kafka.
    pub fn kafka(&mut self) -> anyhow::Result<Option<barrier::EndOffsetRequests>> {
        let parts = self.parts;
        let settings = &parts.config.kafka;
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
            blind: parts.blind.clone(),
            metrics: parts.metrics,
            cancel: self.cancel.clone(),
            assigned: Arc::clone(&assigned),
        };
        let (blind, cancel) = (parts.blind.clone(), self.cancel.clone());
        let (barrier, bell) =
            barrier::barrier(settings.clone(), self.feed.clone(), blind, cancel, assigned);
        self.start("sluice-kafka", move || reader.run())?;
        self.start("sluice-barrier", move || barrier.run())?;
        let progress = GroupOffsetReporter {
            settings: settings.clone(),
            status: parts.status.clone(),
            blind: parts.blind.clone(),
            cancel: self.cancel.clone(),
        };
        // Nobody waits for its end: it may be waiting for brokers that are away.
        thread("sluice-progress", self.died, move || progress.run())?;
        Ok(Some(bell))
    }

    /// With several servers: who asks the others how far they are.
    pub fn asker(&mut self) -> anyhow::Result<Option<ServerGate>> {
        let others = self
            .parts
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
        let (asker, bell) = elsewhere::asker(asked, self.feed.clone(), self.cancel.clone());
        self.start("sluice-elsewhere", move || asker.run())?;
        Ok(Some(ServerGate::new(bell, read)))
    }

    /// A reader for each server. `moved` is cancelled when another host took over,
    /// `lost` told when the first server's position may be given up.
    pub fn binlogs(
        &mut self,
        moved: &CancellationToken,
        lost: Option<&mpsc::Sender<()>>,
    ) -> anyhow::Result<()> {
        let parts = self.parts;
        for (number, (server, flavour)) in parts.servers.iter().zip(self.flavours).enumerate() {
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
                server_id: parts.config.mysql.server_id,
                schemas: parts.schemas.clone(),
                flavour: *flavour,
                position: row.replay_from.clone(),
                start: *start,
            };
            let (feed, blind, cancel) =
                (self.feed.clone(), server.blind.clone(), self.cancel.clone());
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
            if parts.servers.len() > 1 {
                reader = reader.of_server(number, &server.name, server.watch(&parts.schemas));
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
        let changes = self.parts.config.kafka.changes.as_ref()?;
        self.parts.blind.set(BlindCause::Binlog, "connecting");
        Some(debezium::reader::ChangeFeedReader {
            settings: self.parts.config.kafka.clone(),
            prefix: changes.prefix.clone(),
            schemas: self.parts.schemas.clone(),
            position: row.replay_from.clone(),
            start: *start,
            feed: self.feed.clone(),
            blind: self.parts.blind.clone(),
            heard: self.parts.servers.first()?.heard.clone(),
            cancel: self.cancel.clone(),
        })
    }
}
