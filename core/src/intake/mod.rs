//! Payments in: `payment.succeeded` events on Kafka are booked onto the merchants'
//! intermediate accounts, each once, however often it is delivered.
//!
//! An offset is committed after the booking's own commit, so a crash between the two
//! delivers the event again, and its key finds what is booked. What this build can't book
//! is set aside: stored, counted, named by its place, and tried again by later builds.
//! What can't be booked now is waited for, however long that takes, while other partitions
//! go on.

mod booking;
mod message;
mod partition_queues;
mod quarantine;
pub mod quarantine_repo;
mod quarantine_store;
mod request;

use crate::accept::Acceptor;
use crate::config;
use crate::intake::booking::book;
use crate::intake::message::take;
use crate::intake::partition_queues::{MAX_READ_AHEAD, PartitionBatch, PartitionQueues};
use crate::intake::quarantine_store::PaymentQuarantine;
use crate::metrics::METRICS;
use anyhow::Context;
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::{FutureExt, future};
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{
    BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance, StreamConsumer,
};
use rdkafka::error::KafkaResult;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, Statistics, TopicPartitionList};
use sluice_contract::event::{BUSINESS_TOPICS, EventVerifier};
use sluice_contract::kafka::{KafkaCertificates, KafkaConnection};
use sluice_contract::keys::SigningKeys;
use sluice_contract::settings::Secret;
use sluice_contract::sql::Pool;
use sluice_contract::supervisor::Supervisor;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Payments that were read may still be booked for so long after the stop.
const STOP_GRACE: Duration = Duration::from_secs(3);
/// Interval at which the files of the certificates are looked at.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(1);
const READ_RETRY_DELAY: Duration = Duration::from_millis(500);

/// Reader of the payments of its share of the partitions.
pub struct PaymentIntake {
    consumer: StreamConsumer<IntakeClientContext>,
    source: PaymentSource,
    producers: EventVerifier,
    acceptor: Arc<Acceptor>,
    store: Arc<PaymentQuarantine>,
}

/// Capabilities of the intake.
pub struct IntakeParts<'a> {
    pub kafka: &'a KafkaConnection,
    pub producers: EventVerifier,
    pub acceptor: Arc<Acceptor>,
    /// Database of orders.
    pub pool: Pool,
    pub provenance: &'a SigningKeys,
    /// Provenance keys of before.
    pub provenance_retired: &'a [Secret],
}

/// The topic of payments, and what it takes to read it.
struct PaymentSource {
    group: String,
    kafka: KafkaConnection,
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

    /// Lets partitions go on that were paused when they were ours before: nothing of them
    /// need be on its way any more.
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance
            && let Err(error) = consumer.resume(partitions)
        {
            tracing::warn!("partitions of payments can't be resumed: {error}");
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
        intake: IntakeParts<'_>,
    ) -> anyhow::Result<()> {
        let IntakeParts {
            kafka,
            producers,
            acceptor,
            pool,
            provenance,
            provenance_retired,
        } = intake;
        let source = PaymentSource {
            group: config.group.clone(),
            kafka: kafka.clone(),
        };
        // Before the consumer reads them, so that no change is missed.
        let files = KafkaCertificates::of(kafka);
        let store = Arc::new(PaymentQuarantine::new(
            pool,
            provenance,
            provenance_retired,
            producers.clone(),
            acceptor.clone(),
        ));
        parts.spawn_loop("payment-quarantine", store.clone().retake());
        let stop = parts.stop_token();
        parts.spawn(
            "payment-intake",
            PaymentIntake {
                consumer: source.subscribe()?,
                source,
                producers,
                acceptor,
                store,
            }
            .run(files, stop),
        );
        Ok(())
    }

    /// Reads and books until the stop, by one consumer after the other.
    async fn run(
        mut self,
        mut files: KafkaCertificates,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        loop {
            self.read(&mut files, &stop).await;
            if stop.is_cancelled() {
                return Ok(());
            }
            self.renew_consumer();
        }
    }

    /// Reads and books until the stop, or until the files of the certificates change; each
    /// partition by itself. It never stops reading, so that the group keeps this member
    /// whatever can't be booked. What can't be booked soon after the end is given up: its
    /// offsets are not committed, so it is delivered again.
    async fn read(&self, files: &mut KafkaCertificates, stop: &CancellationToken) {
        let mut queues = PartitionQueues::default();
        let mut under_way = FuturesUnordered::new();
        let mut look = tokio::time::interval(CERTIFICATE_INTERVAL);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = look.tick() => {
                    if files.have_changed() {
                        break;
                    }
                }
                message = self.consumer.recv() => self.take_all(message, &mut queues).await,
                Some((partition, next)) = under_way.next() => {
                    self.finish(partition, next, queues.done(partition));
                }
            }
            let ready = queues.take_ready();
            under_way.extend(ready.into_iter().map(|batch| self.book(batch)));
        }
        let rest = under_way.for_each(|(partition, next)| {
            self.finish(partition, next, false);
            future::ready(())
        });
        // What is left is delivered again.
        let _ = tokio::time::timeout(STOP_GRACE, rest).await;
    }

    /// Takes another consumer once the files of its certificates have changed. It begins
    /// behind what was committed: what is told twice is known by its key.
    fn renew_consumer(&mut self) {
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

    /// Takes a message, and with it what is there already.
    async fn take_all(
        &self,
        first: KafkaResult<BorrowedMessage<'_>>,
        queues: &mut PartitionQueues,
    ) {
        let (mut next, mut answers) = (Some(first), 0);
        let (mut failure, mut has_read) = (None, false);
        while let Some(message) = next {
            match message {
                Ok(message) => {
                    has_read = true;
                    let (partition, offset) = (message.partition(), message.offset());
                    let taken = take(&message, &self.producers);
                    if queues.add(partition, offset, taken) {
                        self.steer(partition, "paused", |c, p| c.pause(p));
                    }
                }
                Err(error) => failure = Some(error),
            }
            answers += 1;
            next = match answers < MAX_READ_AHEAD {
                true => self.consumer.recv().now_or_never(),
                false => None,
            };
        }
        // Once for all of them: brokers that are away leave dozens of errors, behind which the
        // first message waits.
        if let Some(error) = failure {
            tracing::warn!("payments can't be read now: {error}");
            if !has_read {
                tokio::time::sleep(READ_RETRY_DELAY).await;
            }
        }
    }

    /// Books what can be booked of a batch, and writes down the rest; the partition, and the
    /// offset behind it.
    async fn book(&self, batch: PartitionBatch) -> (i32, i64) {
        let mut quarantined = batch.quarantined;
        quarantined.extend(book(&self.acceptor, batch.payments).await);
        self.store.keep(quarantined).await;
        (batch.partition, batch.next)
    }

    fn finish(&self, partition: i32, next: i64, resume: bool) {
        if resume {
            self.steer(partition, "resumed", |c, p| c.resume(p));
        }
        if let Err(error) = self.commit(partition, next) {
            tracing::warn!("offsets of booked payments can't be committed now: {error:#}");
        }
    }

    /// Pauses or resumes a partition. One that is another core's by now refuses: then it is
    /// read there.
    fn steer(
        &self,
        partition: i32,
        what: &str,
        call: impl Fn(&StreamConsumer<IntakeClientContext>, &TopicPartitionList) -> KafkaResult<()>,
    ) {
        let mut list = TopicPartitionList::new();
        list.add_partition(BUSINESS_TOPICS[0], partition);
        if let Err(error) = call(&self.consumer, &list) {
            tracing::warn!(partition, "a partition of payments is not {what}: {error}");
        }
    }

    fn commit(&self, partition: i32, next: i64) -> anyhow::Result<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(BUSINESS_TOPICS[0], partition, Offset::Offset(next))?;
        Ok(self.consumer.commit(&list, CommitMode::Async)?)
    }
}

/// Counts an event by its result.
fn count(result: &'static str) {
    METRICS.intake.events.with_label_values(&[result]).inc();
}
