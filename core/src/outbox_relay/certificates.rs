//! Certificates of the producer: once their files have changed, another producer is made.

use crate::outbox_relay::producer;
use rdkafka::producer::FutureProducer;
use sluice_contract::kafka::{KafkaCertificates, KafkaConnection};

/// The producer's connection, and the files that it was made from.
pub struct ProducerCertificates {
    kafka: KafkaConnection,
    files: KafkaCertificates,
}

impl ProducerCertificates {
    /// Reads the files of a connection, of which the producer is to be made.
    pub fn of(kafka: &KafkaConnection) -> Self {
        ProducerCertificates {
            kafka: kafka.clone(),
            files: KafkaCertificates::of(kafka),
        }
    }

    /// A producer made of new files, if there are any. What the old one had not sent stays
    /// in the outbox.
    pub(super) fn renewed(&mut self) -> Option<FutureProducer> {
        if !self.files.have_changed() {
            return None;
        }
        match producer(&self.kafka) {
            Ok(producer) => {
                tracing::info!("TLS of Kafka: the producer uses the new files");
                Some(producer)
            }
            Err(error) => {
                tracing::error!("TLS of Kafka: the present producer stays: {error:#}");
                None
            }
        }
    }
}
