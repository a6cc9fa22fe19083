//! Headers of Kafka messages by which a request is followed: read of upstreams' events,
//! written to our own.

use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use sluice_contract::event::OrderEvent;
use sluice_contract::traces::{
    CORRELATION_HEADER, RequestOrigin, SpanKind, TRACEPARENT_HEADER, TraceField, TraceParent,
    TraceSpan,
};

/// Reads the origin of an upstream's event; a fresh one if it names none.
pub fn origin(message: &BorrowedMessage<'_>) -> RequestOrigin {
    let text = |name: &str| std::str::from_utf8(value(message, name)?).ok();
    RequestOrigin::read(text(CORRELATION_HEADER), text(TRACEPARENT_HEADER))
}

/// Finds the first header of this name.
pub fn value<'m>(message: &'m BorrowedMessage<'_>, name: &str) -> Option<&'m [u8]> {
    let mut headers = message.headers()?.iter();
    headers
        .find(|header| header.key.eq_ignore_ascii_case(name))?
        .value
}

/// Begins the span of an event's publishing; it ends when the event is acknowledged.
pub fn publishing(event: &OrderEvent) -> TraceSpan {
    let parent = event.traceparent.as_deref().and_then(TraceParent::parse);
    let mut span = TraceSpan::within("publish", SpanKind::Producer, parent);
    span.set(TraceField::Order, &event.order_id);
    span.set(TraceField::Event, &event.kind);
    span
}

/// Makes the headers of an event that is published under `span`.
pub fn of_event(event: &OrderEvent, span: &TraceSpan) -> OwnedHeaders {
    let traceparent = span.parent().map(|parent| parent.to_string());
    let mut headers = OwnedHeaders::new();
    for (key, value) in [
        (CORRELATION_HEADER, event.correlation_id.as_deref()),
        (TRACEPARENT_HEADER, traceparent.as_deref()),
    ] {
        if value.is_some() {
            headers = headers.insert(Header { key, value });
        }
    }
    headers
}
