//! A page of the outbox on its way: produced in order, deleted up to the first row that
//! Kafka did not acknowledge.

use crate::cases::{CaseKind, OrderCase, detail};
use crate::message_headers;
use crate::metrics::METRICS;
use crate::orders::repo::{self, OutboxRow};
use crate::outbox_relay::{HeldLease, OutboxRelay};
use crate::unit_of_work::open_case;
use anyhow::Context;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord};
use serde_json::value::RawValue;
use sluice_contract::clock::now_us;
use sluice_contract::event::{ORDER_TOPIC, OrderEvent};
use sluice_contract::traces::TraceSpan;
use std::time::Duration;

/// Pause while the producer's queue is full.
const QUEUE_FULL_DELAY: Duration = Duration::from_millis(5);

/// Rows that were produced, each with its messages or with the reason why it can't be.
pub(super) struct PageInFlight(Vec<(OutboxRow, Result<Vec<SentEvent>, String>)>);

/// A message on its way; its span ends with the acknowledgement.
struct SentEvent {
    delivery: DeliveryFuture,
    _span: TraceSpan,
}

impl PageInFlight {
    /// Produces the events of the rows, in order; also tells whether these are all. Rows
    /// from the first one on of which a message could outlive the lease are left out: they
    /// are read again under a renewed one.
    ///
    /// # Errors
    /// A producer that takes nothing any more. What one row is to blame for is kept with it.
    pub async fn send(
        producer: &FutureProducer,
        rows: Vec<OutboxRow>,
        held: HeldLease,
    ) -> anyhow::Result<(Self, bool)> {
        let mut page = Vec::with_capacity(rows.len());
        for row in rows {
            let sent = match parse(&row.events) {
                Ok(events) => send_all(producer, &events, held).await,
                Err(error) => Err(SendStop::Bad(format!("not a list of events: {error}"))),
            };
            match sent {
                Ok(sent) => page.push((row, Ok(sent))),
                Err(SendStop::Bad(reason)) => page.push((row, Err(reason))),
                Err(SendStop::LeaseEnds) => return Ok((PageInFlight(page), false)),
                Err(SendStop::Producer(error)) => {
                    return Err(error).context("Kafka's producer takes nothing");
                }
            }
        }
        Ok((PageInFlight(page), true))
    }
}

/// Why a row was not produced.
enum SendStop {
    /// The row's own fault: it never can be.
    Bad(String),
    LeaseEnds,
    Producer(KafkaError),
}

/// Reads the events of a row, each with the text that is sent: nothing is lost of what a
/// newer build has written.
fn parse(events: &str) -> serde_json::Result<Vec<(OrderEvent, &RawValue)>> {
    let texts: Vec<&RawValue> = serde_json::from_str(events)?;
    let read = |text: &'_ &RawValue| serde_json::from_str(text.get());
    texts.iter().map(|text| Ok((read(text)?, *text))).collect()
}

/// Produces the events of one row.
async fn send_all(
    producer: &FutureProducer,
    events: &[(OrderEvent, &RawValue)],
    held: HeldLease,
) -> Result<Vec<SentEvent>, SendStop> {
    let mut sent = Vec::with_capacity(events.len());
    for (event, text) in events {
        let span = message_headers::publishing(event);
        let headers = message_headers::of_event(event, &span);
        let delivery = send_one(producer, &event.account_id, text.get(), headers, held).await?;
        sent.push(SentEvent {
            delivery,
            _span: span,
        });
    }
    Ok(sent)
}

/// Hands one message to the producer; waits where it is full, so that none overtakes another,
/// but for no longer than the lease lasts.
async fn send_one(
    producer: &FutureProducer,
    key: &str,
    body: &str,
    headers: OwnedHeaders,
    held: HeldLease,
) -> Result<DeliveryFuture, SendStop> {
    loop {
        if !held.outlasts_a_message() {
            return Err(SendStop::LeaseEnds);
        }
        let record = FutureRecord::to(ORDER_TOPIC)
            .key(key)
            .headers(headers.clone())
            .payload(body);
        match producer.send_result(record) {
            Ok(delivery) => return Ok(delivery),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                tokio::time::sleep(QUEUE_FULL_DELAY).await;
            }
            Err((error, _)) if is_of_the_message(&error) => {
                return Err(SendStop::Bad(error.to_string()));
            }
            Err((error, _)) => return Err(SendStop::Producer(error)),
        }
    }
}

/// Tells whether Kafka will never take this very message, whoever sends it again.
fn is_of_the_message(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::InvalidMessageSize
                | RDKafkaErrorCode::BadMessage
                | RDKafkaErrorCode::InvalidRecord
        )
    )
}

/// Acknowledgement of one row.
enum RowEnd {
    Published(u64),
    Bad(String),
}

/// Waits for the row's acknowledgements.
///
/// # Errors
/// Kafka acknowledged none in time: the row is to be published again.
async fn end_of(sent: Result<Vec<SentEvent>, String>) -> anyhow::Result<RowEnd> {
    let deliveries = match sent {
        Ok(deliveries) => deliveries,
        Err(reason) => return Ok(RowEnd::Bad(reason)),
    };
    let count = deliveries.len() as u64;
    for sent in deliveries {
        match sent.delivery.await.context("the producer is gone")? {
            Ok(_) => {}
            Err((error, _)) if is_of_the_message(&error) => {
                return Ok(RowEnd::Bad(error.to_string()));
            }
            Err((error, _)) => return Err(error).context("Kafka did not acknowledge"),
        }
    }
    Ok(RowEnd::Published(count))
}

impl OutboxRelay {
    /// Waits for the page's acknowledgements and deletes what they cover; returns how
    /// many rows went.
    ///
    /// # Errors
    /// A row that wasn't acknowledged: it and the ones behind it stay. Another relay has
    /// had the lease: all rows stay, so that it says the last word about each order last.
    pub(super) async fn finish(&self, page: PageInFlight) -> anyhow::Result<usize> {
        let (mut published, mut bad, mut failed) = (Vec::new(), Vec::new(), None);
        for (row, sent) in page.0 {
            match end_of(sent).await {
                Ok(RowEnd::Published(events)) => {
                    METRICS.outbox.published.inc_by(events);
                    published.push(row);
                }
                Ok(RowEnd::Bad(reason)) => bad.push((row, reason)),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        if !published.is_empty() {
            let mut conn = self.pool.get_conn().await?;
            let rows: Vec<&OutboxRow> = published.iter().collect();
            repo::outbox_delete(self.begin_held(&mut conn).await?, &rows, &self.key).await?;
        }
        for (row, reason) in &bad {
            let mut conn = self.pool.get_conn().await?;
            // Only whoever has the lease says what is wrong with a row: another relay may
            // have published it since.
            self.begin_held(&mut conn).await?.roll_back().await?;
            drop(conn);
            self.quarantine_row(row, reason).await?;
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(published.len() + bad.len()),
        }
    }

    /// Takes a row that can't be published out of the way: a case first, so that none is
    /// lost on the way, then the archive.
    async fn quarantine_row(&self, row: &OutboxRow, reason: &str) -> anyhow::Result<()> {
        tracing::error!(tx = %row.tx_id, account = %row.account_id, "events set aside: {reason}");
        let case = OrderCase {
            account_id: row.account_id.clone(),
            order_id: row.tx_id.clone(),
            kind: CaseKind::Unpublishable,
            detail: detail(reason),
        };
        open_case(&self.pool, &self.schemas, &self.key, case).await?;
        let mut conn = self.pool.get_conn().await?;
        let signed = (&self.key, now_us());
        repo::outbox_archive(&mut conn, &[row], Some(&detail(reason)), signed).await?;
        METRICS.outbox.quarantined.inc();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    const EVENT: &str = r#"{"id":"e","type":"withdraw.success","accountId":"A","orderId":"o","transactionId":"t","amount":"1.50","currency":"CNY","version":3,"occurredUs":1,"newer":[1.0]}"#;

    #[test]
    fn an_event_is_sent_as_it_was_written() -> anyhow::Result<()> {
        let both = format!("[{EVENT}, {EVENT}]");
        let events = parse(&both)?;
        assert_eq!(events.len(), 2);
        for (event, text) in events {
            assert_eq!((event.version, text.get()), (3, EVENT));
        }
        Ok(())
    }

    #[test]
    fn what_is_no_list_of_events_is_refused() {
        let without_amount = EVENT.replace("amount", "sum");
        for text in ["", "{}", "[1]", EVENT, &format!("[{without_amount}]")] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
