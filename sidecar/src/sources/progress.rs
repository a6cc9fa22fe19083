//! Tells Kafka how far verdicts are committed, so that its own tools show the
//! sidecar's lag. Nothing is read by it: it follows the checkpoint and may be lost.

use super::offsets::Offsets;
use crate::blind::{Blind, Cause};
use crate::status::Status;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// How often the group's offsets follow. Told again although nothing moved, so that
/// a stranger in the group is found.
const EVERY: Duration = Duration::from_secs(1);

/// Hears how the group's coordinator answered.
pub struct Standing {
    blind: Blind,
    group: String,
    /// The last failure that was logged: each is said once.
    said: Mutex<Option<RDKafkaErrorCode>>,
}

impl Standing {
    pub fn new(blind: Blind, group: String) -> Self {
        Standing { blind, group, said: Mutex::default() }
    }
}

impl ClientContext for Standing {}

impl ConsumerContext for Standing {
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        use RDKafkaErrorCode::{FencedInstanceId, IllegalGeneration, RebalanceInProgress, UnknownMemberId};
        let code = result.err().and_then(|error| error.rdkafka_error_code());
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        match code {
            None => self.blind.clear(Cause::KafkaGroup),
            // The broker takes offsets from outside a group only while it has no members.
            Some(UnknownMemberId | IllegalGeneration | RebalanceInProgress | FencedInstanceId) => self.blind.set(
                Cause::KafkaGroup,
                format!(
                    "another consumer has joined the group {}: is a second sidecar reading for another database? \
                     Stop it, or give it a kafka.group of its own",
                    self.group
                ),
            ),
            Some(code) if *said != Some(code) => {
                tracing::warn!(%code, group = self.group, "the group's offsets could not be told; still trying");
            }
            Some(_) => {}
        }
        *said = code;
    }
}

/// The reader's side: what was told last.
pub struct Progress {
    status: Status,
    next: Instant,
}

impl Progress {
    pub fn new(status: Status) -> Self {
        Progress { status, next: Instant::now() }
    }

    /// Tells the group what is committed with the verdicts, never what is only read.
    pub fn tell(&mut self, consumer: &BaseConsumer<Standing>) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + EVERY;
        let committed = self.status.read().kafka_committed;
        let Some(committed) = committed.and_then(|text| Offsets::parse(&text).ok()) else { return };
        let told = list(&committed).and_then(|list| match list.count() {
            0 => Ok(()),
            _ => consumer.commit(&list, CommitMode::Async),
        });
        if let Err(error) = told {
            tracing::debug!(%error, "the group's offsets could not be told");
        }
    }
}

fn list(offsets: &Offsets) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for (topic, partition, next) in offsets.partitions().filter(|(_, _, next)| *next >= 0) {
        list.add_partition_offset(topic, partition, Offset::Offset(next))?;
    }
    Ok(list)
}
