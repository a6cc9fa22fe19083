//! Payments as they are read from Kafka.

use crate::accept::IdempotentRequest;
use crate::intake::count;
use crate::intake::quarantine::{PaymentMessage, QuarantinedPayment};
use crate::message_headers;
use rdkafka::message::{BorrowedMessage, Message};
use sluice_contract::clock::now_us;
use sluice_contract::event::{
    BUSINESS_TOPICS, BusinessEvent, EVENT_SIGNATURE_HEADER, EventVerifier, PAYMENT_SUCCEEDED,
};
use sluice_contract::ids::{MAX_ID_BYTES, is_plain};

/// A payment on its way to its booking, as it was told.
#[derive(Debug)]
pub(super) struct ReceivedPayment {
    pub(super) request: IdempotentRequest,
    pub(super) source: PaymentMessage,
}

/// Position of a payment on its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PaymentOffset {
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// Reads the payment of a message, if it holds one. A payment that this build can't book
/// is to be set aside; what is none that a producer has told is counted, and no more: the
/// sidecar has it in its dead letters.
pub(super) fn take(
    message: &BorrowedMessage<'_>,
    producers: &EventVerifier,
) -> Option<Result<ReceivedPayment, QuarantinedPayment>> {
    let place = PaymentOffset {
        partition: message.partition(),
        offset: message.offset(),
    };
    let payload = message.payload().unwrap_or_default();
    let signature = message_headers::value(message, EVENT_SIGNATURE_HEADER);
    let read = producers
        .check(message.topic(), signature, payload)
        .and_then(|()| BusinessEvent::read(payload)?.check_time(now_us()));
    let account = match read {
        // Other events of the topic are the sidecar's.
        Ok(event) if event.kind != PAYMENT_SUCCEEDED => {
            count("other");
            return None;
        }
        Ok(event) => event.account_id,
        Err(reason) => {
            report(&place, "", reason.as_str());
            return None;
        }
    };
    let source = PaymentMessage {
        place,
        payload: payload.to_vec(),
        signed: producers.keys().is_some(),
        // By the broker or the sender; the event's own time may be the payment's.
        event_time_us: message
            .timestamp()
            .to_millis()
            .map_or(0, |ms| ms.saturating_mul(1_000)),
    };
    let taken = source.request().map(|payment| ReceivedPayment {
        request: IdempotentRequest {
            origin: message_headers::origin(message),
            ..payment.request
        },
        source: payment.source,
    });
    if let Err(QuarantinedPayment { source, reason }) = &taken {
        report(&source.place, &account, reason);
    }
    Some(taken)
}

/// Counts an event that is not booked, and names its place.
fn report(place: &PaymentOffset, account: &str, reason: &str) {
    count("dead_letter");
    // What isn't plain may be anything: it stays out of the log.
    let account = if is_plain(account, MAX_ID_BYTES) {
        account
    } else {
        "-"
    };
    let (topic, PaymentOffset { partition, offset }) = (BUSINESS_TOPICS[0], place);
    tracing::error!(
        topic,
        partition,
        offset,
        account,
        "a payment event is set aside: {reason}"
    );
}
