//! Payments in: `payment.succeeded` events on Kafka are booked onto the merchants'
//! intermediate accounts, each once, however often it is delivered.
//!
//! An offset is committed after the booking's own commit, so a crash between the two
//! delivers the event again, and its key finds what is booked. What this build can't book
//! is set aside: stored, counted, named by its place, and tried again by later builds.
//! What can't be booked now is waited for, however long that takes.

mod booking;
mod message;
mod quarantine;
pub mod quarantine_repo;
mod quarantine_store;
mod request;

use crate::accept::Acceptor;
use crate::config;
use crate::intake::booking::book;
use crate::intake::message::{ReceivedPayment, take};
use crate::intake::quarantine::QuarantinedPayment;
use crate::intake::quarantine_store::PaymentQuarantine;
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
use sluice_contract::kafka::KafkaConnection;
use sluice_contract::settings::Secret;
use sluice_contract::sql::Pool;
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
const READ_RETRY_DELAY: Duration = Duration::from_millis(500);

/// Reader of the payments of its share of the partitions.
pub struct PaymentIntake {
    consumer: StreamConsumer<IntakeClientContext>,
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
    pub provenance: &'a Secret,
    /// The provenance key that replaces it or was replaced.
    pub provenance_other: Option<&'a Secret>,
}

/// Messages that were read together.
#[derive(Default)]
struct ReadMessages {
    payments: Vec<ReceivedPayment>,
    quarantined: Vec<QuarantinedPayment>,
    /// Of each partition the offset behind what was read.
    next: BTreeMap<i32, i64>,
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
        intake: IntakeParts<'_>,
    ) -> anyhow::Result<()> {
        let IntakeParts {
            kafka,
            producers,
            acceptor,
            pool,
            provenance,
            provenance_other,
        } = intake;
        let mut client = ClientConfig::new();
        client.extend(
            kafka
                .properties()
                .into_iter()
                .map(|(n, v)| (n.to_owned(), v)),
        );
        let consumer: StreamConsumer<IntakeClientContext> = client
            .set("group.id", &config.group)
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
        let store = Arc::new(PaymentQuarantine::new(
            pool,
            provenance,
            provenance_other,
            producers.clone(),
            acceptor.clone(),
        ));
        parts.spawn_loop("payment-quarantine", store.clone().retake());
        let stop = parts.stop_token();
        parts.spawn(
            "payment-intake",
            PaymentIntake {
                consumer,
                producers,
                acceptor,
                store,
            }
            .run(stop),
        );
        Ok(())
    }

    /// Books round after round until the stop. A round that can't be booked soon after
    /// it is given up: its offsets are not committed, so it is delivered again.
    async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let given_up = async {
            stop.cancelled().await;
            tokio::time::sleep(STOP_GRACE).await;
        };
        tokio::pin!(given_up);
        while let Some(read) = stop.run_until_cancelled(self.collect()).await {
            tokio::select! {
                () = self.take_in(read.payments, read.quarantined) => {}
                () = &mut given_up => break,
            }
            if let Err(error) = self.commit(&read.next) {
                tracing::warn!("offsets of booked payments can't be committed now: {error:#}");
            }
        }
        Ok(())
    }

    /// Books what can be booked, and writes down the rest.
    async fn take_in(
        &self,
        payments: Vec<ReceivedPayment>,
        mut quarantined: Vec<QuarantinedPayment>,
    ) {
        quarantined.extend(book(&self.acceptor, payments).await);
        self.store.keep(quarantined).await;
    }

    /// Collects at least one message, and with it what is there already.
    async fn collect(&self) -> ReadMessages {
        let mut read = ReadMessages::default();
        let mut next = Some(self.consumer.recv().await);
        let mut messages = 0;
        while let Some(message) = next {
            match message {
                Ok(message) => {
                    match take(&message, &self.producers) {
                        Some(Ok(payment)) => read.payments.push(payment),
                        Some(Err(quarantined)) => read.quarantined.push(quarantined),
                        None => {}
                    }
                    read.next.insert(message.partition(), message.offset() + 1);
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
        read
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
