//! Payments in: `payment.succeeded` events on Kafka are booked onto the merchants'
//! intermediate accounts, each once, however often it is delivered.
//!
//! An offset is committed after the booking's own commit, so a crash between the two
//! delivers the event again, and its key finds what is booked. What can't be booked
//! for good is set aside, counted and named by its place; what can't be booked now is
//! waited for, however long that takes.

mod booking;
mod message;
mod request;

use crate::accept::Acceptor;
use crate::config;
use crate::intake::booking::book;
use crate::intake::message::{ReceivedPayment, take};
use crate::metrics::METRICS;
use anyhow::Context;
use futures_util::FutureExt;
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer, ConsumerContext, StreamConsumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::Message;
use rdkafka::{Offset, Statistics, TopicPartitionList};
use sluice_contract::event::{BUSINESS_TOPICS, EventVerifier};
use sluice_contract::kafka::{KafkaCertificates, KafkaConnection};
use sluice_contract::supervisor::Supervisor;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Events booked side by side, so that they share commits: a little more than one
/// accept transaction holds.
const MAX_EVENTS_PER_BATCH: usize = 256;
/// Payments that were read may still be booked for so long after the stop.
const STOP_GRACE: Duration = Duration::from_secs(3);
/// Longest wait for a message: in between, the certificates are looked at.
const IDLE_INTERVAL: Duration = Duration::from_secs(1);
const READ_RETRY_DELAY: Duration = Duration::from_millis(500);

/// Reader of the payments of its share of the partitions.
pub struct PaymentIntake {
    consumer: StreamConsumer<IntakeClientContext>,
    source: PaymentSource,
    producers: EventVerifier,
    acceptor: Arc<Acceptor>,
}

/// The topic of payments, and what it takes to read it.
struct PaymentSource {
    group: String,
    kafka: KafkaConnection,
    /// Files that the consumer was made from.
    files: KafkaCertificates,
}

impl PaymentSource {
    /// Makes a consumer that shares the partitions with the others of its group.
    fn subscribe(&self) -> anyhow::Result<StreamConsumer<IntakeClientContext>> {
        let mut client = ClientConfig::new();
        client.extend(
            self.kafka
                .properties()
                .into_iter()
                .map(|(n, v)| (n.to_owned(), v)),
        );
        let consumer: StreamConsumer<IntakeClientContext> = client
            .set("group.id", &self.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // A payment published before the first start is a payment too.
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
        Ok(consumer)
    }
}

/// Listener of what Kafka's client reports by itself.
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
    /// Starts reading among `parts`.
    ///
    /// # Errors
    /// Brokers that Kafka's client can't use.
    pub fn start(
        parts: &Supervisor,
        config: &config::IntakeConfig,
        kafka: &KafkaConnection,
        producers: EventVerifier,
        acceptor: Arc<Acceptor>,
    ) -> anyhow::Result<()> {
        let files = KafkaCertificates::of(kafka);
        let source = PaymentSource {
            group: config.group.clone(),
            kafka: kafka.clone(),
            files,
        };
        let stop = parts.stop_token();
        parts.spawn(
            "payment-intake",
            PaymentIntake {
                consumer: source.subscribe()?,
                source,
                producers,
                acceptor,
            }
            .run(stop),
        );
        Ok(())
    }

    /// Books round after round until the stop. A round that can't be booked soon after
    /// it is given up: its offsets are not committed, so it is delivered again.
    async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let given_up = async {
            stop.cancelled().await;
            tokio::time::sleep(STOP_GRACE).await;
        };
        tokio::pin!(given_up);
        while let Some((payments, read)) = stop.run_until_cancelled(self.collect()).await {
            tokio::select! {
                () = book(&self.acceptor, payments) => {}
                () = &mut given_up => break,
            }
            if let Err(error) = self.commit(&read) {
                tracing::warn!("offsets of booked payments can't be committed now: {error:#}");
            }
            self.renew_consumer();
        }
        Ok(())
    }

    /// Takes another consumer once the files of its certificates have changed. It begins
    /// behind what was committed: what is told twice is known by its key.
    fn renew_consumer(&mut self) {
        if !self.source.files.have_changed() {
            return;
        }
        match self.source.subscribe() {
            Ok(consumer) => {
                self.consumer = consumer;
                tracing::info!("TLS of Kafka: the reader of payments uses the new files");
            }
            Err(error) => {
                tracing::error!("TLS of Kafka: the present reader of payments stays: {error:#}");
            }
        }
    }

    /// Collects at least one message, unless none comes for a while, and what is there
    /// already; for each partition the offset behind what was read.
    async fn collect(&self) -> (Vec<ReceivedPayment>, BTreeMap<i32, i64>) {
        let (mut payments, mut read) = (Vec::new(), BTreeMap::new());
        let first = tokio::time::timeout(IDLE_INTERVAL, self.consumer.recv()).await;
        let mut next = first.ok();
        let (mut answers, mut failure) = (0, None);
        while let Some(message) = next {
            match message {
                Ok(message) => {
                    payments.extend(take(&message, &self.producers));
                    read.insert(message.partition(), message.offset() + 1);
                }
                Err(error) => failure = Some(error),
            }
            answers += 1;
            next = if answers < MAX_EVENTS_PER_BATCH {
                self.consumer.recv().now_or_never()
            } else {
                None
            };
        }
        // Once for all of them: brokers that are away leave dozens of errors, behind which the
        // first message waits.
        if let Some(error) = failure {
            tracing::warn!("payments can't be read now: {error}");
            if read.is_empty() {
                tokio::time::sleep(READ_RETRY_DELAY).await;
            }
        }
        (payments, read)
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

/// Counts an event by its result.
fn count(result: &'static str) {
    METRICS.intake.events.with_label_values(&[result]).inc();
}
