//! Payments as they are read from Kafka.

use crate::accept::IdempotentRequest;
use crate::intake::count;
use crate::intake::request::capture_request;
use crate::message_headers;
use rdkafka::message::{BorrowedMessage, Message};
use sluice_contract::event::{
    BUSINESS_TOPICS, BusinessEvent, EVENT_SIGNATURE_HEADER, EventVerifier, PAYMENT_SUCCEEDED,
};
use sluice_contract::ids::{MAX_ID_BYTES, is_plain};

/// A payment on its way to its booking, and the place that it was read at.
pub(super) struct ReceivedPayment {
    pub(super) request: IdempotentRequest,
    pub(super) place: PaymentOffset,
}

/// Position of a payment on its topic.
#[derive(Debug, Clone)]
pub(super) struct PaymentOffset {
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// Reads the payment of a message, if it holds one.
pub(super) fn take(
    message: &BorrowedMessage<'_>,
    producers: &EventVerifier,
) -> Option<ReceivedPayment> {
    let place = PaymentOffset {
        partition: message.partition(),
        offset: message.offset(),
    };
    let payload = message.payload().unwrap_or_default();
    let signature = message_headers::value(message, EVENT_SIGNATURE_HEADER);
    let read = producers
        .check(message.topic(), signature, payload)
        .and_then(|()| BusinessEvent::read(payload));
    let account = read
        .as_ref()
        .map(|e| e.account_id.clone())
        .unwrap_or_default();
    let request = match read {
        // Other events of the topic are the sidecar's.
        Ok(event) if event.kind != PAYMENT_SUCCEEDED => {
            count("other");
            return None;
        }
        // By the broker or the sender; the event's own time may be the payment's.
        Ok(event) => capture_request(
            &event,
            message
                .timestamp()
                .to_millis()
                .map_or(0, |ms| ms.saturating_mul(1_000)),
        ),
        Err(reason) => Err(reason.as_str().to_owned()),
    };
    match request {
        Ok(request) => {
            let origin = message_headers::origin(message);
            let request = IdempotentRequest { origin, ..request };
            Some(ReceivedPayment { request, place })
        }
        Err(reason) => {
            count("dead_letter");
            // What isn't plain may be anything: it stays out of the log.
            let account = if is_plain(&account, MAX_ID_BYTES) {
                account.as_str()
            } else {
                "-"
            };
            let (topic, PaymentOffset { partition, offset }) = (BUSINESS_TOPICS[0], &place);
            tracing::error!(
                topic,
                partition,
                offset,
                account,
                "a payment event is set aside: {reason}"
            );
            None
        }
    }
}
