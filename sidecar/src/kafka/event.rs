//! A message to a business event, or to a dead letter.

use crate::kafka::dead_letters;
use crate::kafka::reader::KafkaReader;
use crate::stream::batches::DeadLetter;
use crate::stream::change::ReceivedEvent;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use sluice_contract::clock::now_us;
use sluice_contract::event::{BusinessEvent, EVENT_SIGNATURE_HEADER};

impl KafkaReader {
    pub(super) fn event(&self, message: &BorrowedMessage<'_>) -> Result<ReceivedEvent, DeadLetter> {
        let payload = message.payload().unwrap_or_default();
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        let signature = message.headers().and_then(|headers| {
            let mut all = headers.iter();
            let found = all.find(|h| h.key.eq_ignore_ascii_case(EVENT_SIGNATURE_HEADER));
            found?.value
        });
        let producers = &self.settings.producers;
        producers
            .check(topic, signature, payload)
            .and_then(|()| BusinessEvent::read(payload)?.check_time(now_us()))
            .map(|body| ReceivedEvent {
                position: format!("{topic}/{partition}/{offset}").into(),
                body,
            })
            .map_err(|why| {
                self.metrics
                    .dead_letters
                    .with_label_values(&[why.label()])
                    .inc();
                tracing::warn!(
                    topic,
                    partition,
                    offset,
                    why = why.as_str(),
                    "a business event is set aside"
                );
                DeadLetter {
                    topic: topic.to_owned(),
                    partition,
                    offset,
                    reason: why.label(),
                    payload: payload[..payload.len().min(dead_letters::MAX_PAYLOAD_BYTES)].to_vec(),
                    bytes: payload.len(),
                    event_time_us: message
                        .timestamp()
                        .to_millis()
                        .map_or(0, |ms| ms.saturating_mul(1_000)),
                }
            })
    }
}
