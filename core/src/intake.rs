//! Payments in: `payment.succeeded` events on Kafka are booked onto the merchants'
//! intermediate accounts, each once, however often it is delivered.
//!
//! An offset is committed after the booking's own commit, so a crash between the two
//! delivers the event again, and its key finds what is booked. What can't be booked
//! for good is set aside, counted and named by its place; what can't be booked now is
//! waited for, however long that takes.

use crate::accept::{AcceptError, Acceptor, BookingRequest, CaptureBooking, IdempotentRequest};
use crate::batch::policy::INTAKE;
use crate::config::{self, INTAKE_CLIENT};
use crate::metrics::METRICS;
use anyhow::Context;
use futures_util::FutureExt;
use futures_util::future::join_all;
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer, ConsumerContext, StreamConsumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, Statistics, TopicPartitionList};
use sha2::{Digest, Sha256};
use sluice_contract::event::{BUSINESS_TOPICS, BusinessEvent, PAYMENT_SUCCEEDED};
use sluice_contract::ids::{MAX_ID_BYTES, MAX_KEY_BYTES, is_plain};
use sluice_contract::money::{Currency, parse_amount};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Events booked side by side, so that they share commits: a little more than one
/// accept transaction holds.
const MAX_EVENTS_PER_BATCH: usize = 256;
/// Width of the key's column.
const MAX_KEY_LEN: usize = 80;
const READ_RETRY_DELAY: Duration = Duration::from_millis(500);

/// Reads the payments of its share of the partitions.
pub struct PaymentIntake {
    consumer: StreamConsumer<IntakeClientContext>,
    acceptor: Arc<Acceptor>,
}

/// A payment on its way to its booking, and where it was read.
struct ReceivedPayment {
    request: IdempotentRequest,
    place: PaymentOffset,
}

#[derive(Debug, Clone)]
struct PaymentOffset {
    partition: i32,
    offset: i64,
}

/// What Kafka's client tells by itself.
struct IntakeClientContext;

impl ClientContext for IntakeClientContext {
    fn stats(&self, now: Statistics) {
        let partitions = now.topics.values().flat_map(|t| t.partitions.values());
        METRICS
            .intake
            .lag
            .set(partitions.map(|p| p.consumer_lag.max(0)).sum());
    }
}

impl ConsumerContext for IntakeClientContext {
    fn commit_callback(&self, committed: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = committed {
            // Delivered again, to whoever has the partition now; the keys know them.
            tracing::warn!("offsets of booked payments are not committed: {error}");
        }
    }
}

impl PaymentIntake {
    pub fn start(
        config: &config::IntakeConfig,
        brokers: &str,
        acceptor: Arc<Acceptor>,
    ) -> anyhow::Result<()> {
        let consumer: StreamConsumer<IntakeClientContext> = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", &config.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // A payment told before the first start is a payment too.
            .set("auto.offset.reset", "earliest")
            // How soon the partitions of a core that died are another's.
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "1500")
            .set("fetch.wait.max.ms", "100")
            .set("queued.max.messages.kbytes", "16384")
            .set("topic.metadata.refresh.interval.ms", "10000")
            .set("statistics.interval.ms", "2000")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "500")
            .set("log_level", "3")
            .create_with_context(IntakeClientContext)
            .context("kafka.brokers: can't make a consumer")?;
        consumer
            .subscribe(&[BUSINESS_TOPICS[0]])
            .context("can't subscribe to payments")?;
        tokio::spawn(PaymentIntake { consumer, acceptor }.run());
        Ok(())
    }

    async fn run(self) {
        loop {
            let (payments, read) = self.gather().await;
            self.book(payments).await;
            if let Err(error) = self.commit(&read) {
                tracing::warn!("offsets of booked payments can't be committed now: {error:#}");
            }
        }
    }

    /// At least one message, and with it what is there already; for each partition the
    /// offset behind what was read.
    async fn gather(&self) -> (Vec<ReceivedPayment>, BTreeMap<i32, i64>) {
        let (mut payments, mut read) = (Vec::new(), BTreeMap::new());
        let mut next = Some(self.consumer.recv().await);
        let mut messages = 0;
        while let Some(message) = next {
            match message {
                Ok(message) => {
                    payments.extend(take(&message));
                    read.insert(message.partition(), message.offset() + 1);
                    messages += 1;
                }
                Err(error) => {
                    tracing::warn!("payments can't be read now: {error}");
                    tokio::time::sleep(READ_RETRY_DELAY).await;
                }
            }
            next = if messages < MAX_EVENTS_PER_BATCH {
                self.consumer.recv().now_or_never()
            } else {
                None
            };
        }
        (payments, read)
    }

    /// Returns once every payment is booked, known, or set aside. Events under one key
    /// follow each other in the order of the partition.
    async fn book(&self, mut payments: Vec<ReceivedPayment>) {
        let mut attempt = 0;
        while !payments.is_empty() {
            let (mut again, mut later, mut keys) = (Vec::new(), Vec::new(), HashSet::new());
            let (now, rest): (Vec<_>, Vec<_>) = payments
                .into_iter()
                .partition(|p| keys.insert(p.request.key.clone()));
            later.extend(rest);
            let booked =
                join_all(now.iter().map(|p| self.acceptor.submit(p.request.clone()))).await;
            let mut why = None;
            for (payment, result) in now.into_iter().zip(booked) {
                match result {
                    Ok(accepted) => count(if accepted.replayed {
                        "repeated"
                    } else {
                        "booked"
                    }),
                    Err(refusal) if refusal.is_transient() => {
                        why = Some(refusal);
                        again.push(payment);
                    }
                    Err(refusal) => refused(&payment, &refusal),
                }
            }
            if let Some(why) = why {
                METRICS.intake.retries.inc();
                tracing::warn!(payments = again.len(), "payments wait to be booked: {why}");
                tokio::time::sleep(INTAKE.after_conflict(attempt)).await;
                attempt += 1;
            }
            again.append(&mut later);
            payments = again;
        }
    }

    fn commit(&self, read: &BTreeMap<i32, i64>) -> anyhow::Result<()> {
        let mut list = TopicPartitionList::new();
        for (partition, next) in read {
            list.add_partition_offset(BUSINESS_TOPICS[0], *partition, Offset::Offset(*next))?;
        }
        if !read.is_empty() {
            self.consumer.commit(&list, CommitMode::Async)?;
        }
        Ok(())
    }
}

fn refused(payment: &ReceivedPayment, refusal: &AcceptError) {
    let (account, PaymentOffset { partition, offset }) =
        (payment.request.booking.account_id(), &payment.place);
    let topic = BUSINESS_TOPICS[0];
    if matches!(
        refusal,
        AcceptError::KeyReused | AcceptError::AlreadyCaptured
    ) {
        count("conflict");
        tracing::error!(
            topic,
            partition,
            offset,
            account,
            "a payment was told before with other words: not booked"
        );
    } else {
        count("dead_letter");
        tracing::error!(
            topic,
            partition,
            offset,
            account,
            "a payment is set aside: {refusal}"
        );
    }
}

fn count(result: &'static str) {
    METRICS.intake.events.with_label_values(&[result]).inc();
}

/// The payment of a message, if it holds one.
fn take(message: &BorrowedMessage<'_>) -> Option<ReceivedPayment> {
    let place = PaymentOffset {
        partition: message.partition(),
        offset: message.offset(),
    };
    let read = BusinessEvent::read(message.payload().unwrap_or_default());
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
        Err(why) => Err(why.as_str().to_owned()),
    };
    match request {
        Ok(request) => Some(ReceivedPayment { request, place }),
        Err(why) => {
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
                "a payment event is set aside: {why}"
            );
            None
        }
    }
}

/// The booking that the event asks for, under a key of its own. When it was told is no
/// part of what was asked: told again, it is the same payment.
fn capture_request(event: &BusinessEvent, event_time_us: i64) -> Result<IdempotentRequest, String> {
    let BusinessEvent {
        account_id, biz_no, ..
    } = event;
    if !is_plain(account_id, MAX_ID_BYTES) {
        return Err(format!(
            "accountId is not 1 to {MAX_ID_BYTES} letters, digits and _ - . :"
        ));
    }
    if !is_plain(biz_no, MAX_KEY_BYTES) {
        return Err(format!(
            "bizNo is not 1 to {MAX_KEY_BYTES} letters, digits and _ - . :"
        ));
    }
    let currency: Currency = event
        .currency
        .parse()
        .map_err(|e| format!("currency {e}"))?;
    // Its text, so that an amount with more decimals than the currency is refused.
    let amount =
        parse_amount(&event.amount.to_string(), currency).map_err(|e| format!("amount {e}"))?;
    let words = format!("{account_id}\n{biz_no}\n{}\n{currency}", amount.normalize());
    let (account, payment_no) = (account_id.clone(), biz_no.clone());
    let booking = BookingRequest::Capture(CaptureBooking {
        account_id: account,
        amount,
        currency,
        payment_no,
        event_time_us,
    });
    Ok(IdempotentRequest {
        client: INTAKE_CLIENT.to_owned(),
        key: key(account_id, biz_no),
        request_hash: hex::encode(Sha256::digest(words)),
        booking,
    })
}

/// Unique per account and payment: a slash is in neither.
fn key(account_id: &str, biz_no: &str) -> String {
    let plain = format!("pay/{account_id}/{biz_no}");
    if plain.len() <= MAX_KEY_LEN {
        plain
    } else {
        format!("pay/{}", hex::encode(Sha256::digest(plain)))
    }
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
