//! Tells Kafka how far verdicts are committed, so that its own tools show the
//! sidecar's lag. Nothing is read by it: it follows the checkpoint and may be lost.

use crate::health::blind::{Blind, BlindCause};
use crate::health::status::SidecarStatus;
use crate::kafka::consumer;
use crate::kafka::settings::KafkaSourceSettings;
use crate::stream::offsets::PartitionOffsets;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use sluice_contract::kafka::KafkaCertificates;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The group's offsets follow after this time. Told again although nothing moved, so that
/// a stranger in the group is found.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

pub struct GroupOffsetReporter {
    pub settings: KafkaSourceSettings,
    /// Says what is committed.
    pub status: SidecarStatus,
    pub blind: Blind,
    pub cancel: CancellationToken,
}

impl GroupOffsetReporter {
    /// Tells until cancelled, on its own thread: an answer may take as long as the
    /// brokers are away, and librdkafka reports no failure of a telling in passing.
    pub fn run(self) -> anyhow::Result<()> {
        let mut files = KafkaCertificates::of(&self.settings.connection());
        let mut consumer = consumer::end_offset_client(&self.settings, "")?;
        let mut said = None;
        while !self.cancel.is_cancelled() {
            if files.have_changed() {
                match consumer::end_offset_client(&self.settings, "") {
                    Ok(renewed) => consumer = renewed,
                    Err(error) => tracing::error!("TLS of Kafka: {error}"),
                }
            }
            let committed = self.status.read().kafka_committed;
            if let Some(offsets) = committed.and_then(|text| PartitionOffsets::parse(&text).ok()) {
                let told = list(&offsets).and_then(|list| match list.count() {
                    0 => Ok(()),
                    _ => consumer.commit(&list, CommitMode::Sync),
                });
                self.note_answer(told.err(), &mut said);
            }
            std::thread::sleep(REPORT_INTERVAL);
        }
        Ok(())
    }

    /// A failure is said once, until it is another.
    fn note_answer(&self, error: Option<KafkaError>, said: &mut Option<RDKafkaErrorCode>) {
        use RDKafkaErrorCode::{IllegalGeneration, RebalanceInProgress, UnknownMemberId};
        let code = error.as_ref().and_then(KafkaError::rdkafka_error_code);
        match (&error, code) {
            (None, _) => self.blind.clear(BlindCause::KafkaGroup),
            // The broker takes offsets from outside a group only while it has no members.
            (_, Some(UnknownMemberId | IllegalGeneration | RebalanceInProgress)) => self.blind.set(
                BlindCause::KafkaGroup,
                format!(
                    "another consumer has joined the group {}: is a second sidecar reading for another database? \
                     Stop it, or give it a kafka.group of its own",
                    self.settings.group
                ),
            ),
            (Some(error), code) if *said != code => {
                tracing::warn!(%error, group = self.settings.group, "the group's offsets can't be told; still trying");
            }
            _ => {}
        }
        *said = code;
    }
}

fn list(offsets: &PartitionOffsets) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for (topic, partition, next) in offsets.partitions().filter(|(_, _, next)| *next >= 0) {
        list.add_partition_offset(topic, partition, Offset::Offset(next))?;
    }
    Ok(list)
}
