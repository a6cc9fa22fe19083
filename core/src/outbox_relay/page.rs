//! A page of the outbox on its way: produced in order, deleted up to the first row that
//! Kafka did not acknowledge.

use crate::cases::{CaseKind, OrderCase, detail};
use crate::message_headers;
use crate::metrics::METRICS;
use crate::orders::repo::{self, OutboxRow};
use crate::outbox_relay::OutboxRelay;
use crate::unit_of_work::open_case;
use anyhow::Context;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord};
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
    /// Produces the events of the rows, in order.
    ///
    /// # Errors
    /// A producer that takes nothing any more. What one row is to blame for is kept with it.
    pub async fn send(producer: &FutureProducer, rows: Vec<OutboxRow>) -> anyhow::Result<Self> {
        let mut page = Vec::with_capacity(rows.len());
        for row in rows {
            let sent = match serde_json::from_str::<Vec<OrderEvent>>(&row.events) {
                Ok(events) => send_all(producer, &events).await?,
                Err(error) => Err(format!("not a list of events: {error}")),
            };
            page.push((row, sent));
        }
        Ok(PageInFlight(page))
    }
}

/// Produces the events of one row; the inner error is the row's own.
async fn send_all(
    producer: &FutureProducer,
    events: &[OrderEvent],
) -> anyhow::Result<Result<Vec<SentEvent>, String>> {
    let mut sent = Vec::with_capacity(events.len());
    for event in events {
        let body = serde_json::to_vec(event)?;
        let span = message_headers::publishing(event);
        let headers = message_headers::of_event(event, &span);
        match send_one(producer, &event.account_id, &body, headers).await {
            Ok(delivery) => sent.push(SentEvent {
                delivery,
                _span: span,
            }),
            Err(error) if is_of_the_message(&error) => return Ok(Err(error.to_string())),
            Err(error) => return Err(error).context("Kafka's producer takes nothing"),
        }
    }
    Ok(Ok(sent))
}

/// Hands one message to the producer; waits where it is full, so that none overtakes another.
async fn send_one(
    producer: &FutureProducer,
    key: &str,
    body: &[u8],
    headers: OwnedHeaders,
) -> Result<DeliveryFuture, KafkaError> {
    loop {
        let record = FutureRecord::to(ORDER_TOPIC)
            .key(key)
            .headers(headers.clone())
            .payload(body);
        match producer.send_result(record) {
            Ok(delivery) => return Ok(delivery),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                tokio::time::sleep(QUEUE_FULL_DELAY).await;
            }
            Err((error, _)) => return Err(error),
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
    /// A row that wasn't acknowledged: it and the ones behind it stay.
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
        let mut conn = self.pool.get_conn().await?;
        let rows: Vec<&OutboxRow> = published.iter().collect();
        repo::outbox_delete(&mut conn, &rows).await?;
        drop(conn);
        for (row, reason) in &bad {
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
        repo::outbox_archive(&mut conn, &[row], Some(&detail(reason)), now_us()).await?;
        METRICS.outbox.quarantined.inc();
        Ok(())
    }
}
