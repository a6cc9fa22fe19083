//! Publishes the outbox to Kafka: at least once, in the order of an order's commits (as far
//! as the clocks of the hosts agree; the event's version decides). A row is deleted
//! only after Kafka has acknowledged all of its events, so an outage of any length
//! loses nothing.
//!
//! | phase | statement | round trips |
//! |---|---|---|
//! | lease | conditional UPDATE of `lease`, once a few seconds | 0, rarely 1 |
//! | read | SELECT of a page behind the one before | 1 |
//! | publish | a produce for each event | Kafka's, in parallel |
//! | delete | DELETE of the acknowledged rows by their ids, in order, under the lease's lock | 2 |
//!
//! Reading, publishing and deleting go on at once, each on a page of its own. Pages finish
//! in order: after a failure everything from the first row that wasn't acknowledged on is
//! published again, so that the last word about an order comes last. A row that can't be
//! published is set aside with a case. Where no core has ever had brokers rows go to the
//! archive by age, so that the hot path stays small.
//!
//! No message leaves a relay whose lease may end before Kafka has given up on it, and none
//! that has lost its lease deletes anything (`held.rs`): of two relays the later one says
//! everything again that is not deleted, in order.

mod archive;
mod certificates;
mod drain;
mod held;
mod page;

pub use crate::outbox_relay::held::HeldLease;
pub use certificates::ProducerCertificates;

use crate::guard::lease;
use crate::metrics::METRICS;
use crate::orders::repo;
use anyhow::{Context, bail};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, Producer};
use sluice_contract::clock::now_us;
use sluice_contract::heartbeat::Heartbeat;
use sluice_contract::kafka::KafkaConnection;
use sluice_contract::provenance::TransactionSigner;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::Pool;
use sluice_contract::supervisor::Supervisor;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Outbox rows read, published and deleted together.
const MAX_ROWS_PER_PAGE: usize = 500;
/// Pages that wait for Kafka at a time.
const MAX_PAGES_IN_FLIGHT: usize = 4;
/// Pages until the cursor goes back to the beginning, for what was committed late.
const MAX_PAGES_PER_DRAIN: usize = 50;
/// Interval of looking whether messages are still under way, at a stop.
const DONE_POLL_INTERVAL: Duration = Duration::from_millis(20);
const IDLE_POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Interval of looking for what has aged, without brokers.
const ARCHIVE_INTERVAL: Duration = Duration::from_secs(1);
const RETRY_DELAY: Duration = Duration::from_millis(500);
/// A round that takes longer hangs: Kafka's deadlines and the database's are shorter.
const MAX_SILENCE: Duration = Duration::from_secs(90);
/// Interval at which a large backlog is counted.
const COUNT_INTERVAL: Duration = Duration::from_secs(60);
/// The relay's lease: one instance publishes at a time, so that order holds.
const LEASE_NAME: &str = "relay";
/// The lease of a core without brokers, which archives: it never keeps one that has them
/// from publishing.
const ARCHIVE_LEASE_NAME: &str = "archive";
/// Time at a stop for messages under way; with any left the lease isn't given back.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);
/// Kafka's time to acknowledge a message; less than the lease's margin.
const MESSAGE_TIMEOUT_MS: &str = "10000";

pub struct OutboxRelay {
    pub pool: Pool,
    pub schemas: Schemas,
    /// Signs the case of a row that is set aside.
    pub key: TransactionSigner,
    pub owner: String,
    pub producer: Option<FutureProducer>,
    /// Files that the producer was made from; none of one that never changes.
    pub certificates: Option<ProducerCertificates>,
    /// Age at which unpublished rows are archived while there is no producer.
    pub archive_after: Duration,
    /// Whether they are archived although a core has published before.
    pub gives_up: bool,
    pub held: HeldLease,
    /// When a large backlog was last counted.
    pub counted: Option<Instant>,
}

/// Makes a producer that keeps order and doubles nothing over retries.
pub fn producer(kafka: &KafkaConnection) -> anyhow::Result<FutureProducer> {
    let mut client = ClientConfig::new();
    client.extend(
        kafka
            .properties()
            .into_iter()
            .map(|(n, v)| (n.to_owned(), v)),
    );
    client
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("message.timeout.ms", MESSAGE_TIMEOUT_MS)
        .set("linger.ms", "5")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500")
        .set("log_level", "3")
        .create()
        .context("kafka.brokers: can't make a producer")
}

impl OutboxRelay {
    /// Starts the relay among `parts`. At the stop it publishes what is there, then gives
    /// its lease back.
    pub fn start(self, parts: &Supervisor) {
        let beat = parts.heartbeat("outbox-relay", MAX_SILENCE);
        parts.spawn("outbox-relay", self.run(beat, parts.stop_token()));
    }

    async fn run(mut self, beat: Heartbeat, stop: CancellationToken) -> anyhow::Result<()> {
        let idle = match &self.producer {
            Some(_) => IDLE_POLL_INTERVAL,
            None => ARCHIVE_INTERVAL,
        };
        loop {
            beat.turn();
            self.renew_producer();
            let pause = match self.round().await {
                Ok(0) => idle,
                Ok(_) => Duration::ZERO,
                Err(error) => {
                    METRICS.outbox.failures.inc();
                    tracing::warn!("events wait in the outbox: {error:#}");
                    self.end_if_fatal()?;
                    RETRY_DELAY
                }
            };
            let stopping = stop.is_cancelled();
            if stopping && pause != Duration::ZERO {
                return self.release_lease().await;
            }
            if !stopping {
                stop.run_until_cancelled(tokio::time::sleep(pause)).await;
            }
        }
    }

    /// Takes another producer once the files of its certificates have changed, and nothing
    /// is under way by the old one that could come behind what the new one says.
    fn renew_producer(&mut self) {
        // Without brokers there is none to be renewed.
        if self
            .producer
            .as_ref()
            .is_none_or(|old| old.in_flight_count() > 0)
        {
            return;
        }
        let certificates = self.certificates.as_mut();
        if let Some(renewed) = certificates.and_then(ProducerCertificates::renewed) {
            self.producer = Some(renewed);
        }
    }

    /// Ends the relay, and with it the program, if its producer can't recover.
    fn end_if_fatal(&self) -> anyhow::Result<()> {
        let producer = self.producer.as_ref();
        if let Some((code, reason)) = producer.and_then(|p| p.client().fatal_error()) {
            bail!("the Kafka producer has ended, a restart makes another: {code}: {reason}");
        }
        Ok(())
    }

    /// Gives the lease back, unless messages are under way: another relay would overtake
    /// them. Then it runs out by itself, after all of them have.
    async fn release_lease(&self) -> anyhow::Result<()> {
        if let Some(producer) = &self.producer
            && !is_done(producer, RELEASE_TIMEOUT).await
        {
            tracing::warn!("messages are under way: the relay's lease runs out by itself");
            return Ok(());
        }
        let released = async {
            let mut conn = self.pool.get_conn().await?;
            lease::release(&mut conn, &self.schemas, self.lease_name(), &self.owner).await
        };
        if let Err(error) = released.await {
            tracing::warn!("the relay's lease runs out by itself: {error:#}");
        }
        Ok(())
    }

    /// Publishes or archives what is there; returns how many rows went.
    pub async fn round(&mut self) -> anyhow::Result<usize> {
        if !self.hold_lease().await? {
            // The holder reports the backlog; an old number here would look stuck.
            METRICS.outbox.rows.set(0);
            METRICS.outbox.oldest.set(0);
            METRICS.outbox.unclaimed.set(0);
            tokio::time::sleep(RETRY_DELAY).await;
            return Ok(0);
        }
        match self.producer.clone() {
            Some(producer) => self.drain(&producer).await,
            None => self.archive_aged().await,
        }
    }

    async fn read(&self, after: &str) -> anyhow::Result<Vec<repo::OutboxRow>> {
        let mut conn = self.pool.get_conn().await?;
        repo::outbox_page(&mut conn, after, MAX_ROWS_PER_PAGE).await
    }

    /// Tells the backlog: exactly if it is one page, else counted once a minute.
    async fn show_backlog(&mut self, rows: &[repo::OutboxRow], pages: usize) -> anyhow::Result<()> {
        if pages == 1 {
            let age = |r: &repo::OutboxRow| (now_us() - r.created_us) / 1_000_000;
            METRICS.outbox.oldest.set(rows.first().map_or(0, age));
            if rows.len() < MAX_ROWS_PER_PAGE {
                METRICS.outbox.rows.set(rows.len() as i64);
            }
        }
        let due = self.counted.is_none_or(|at| at.elapsed() > COUNT_INTERVAL);
        if rows.len() == MAX_ROWS_PER_PAGE && due {
            self.counted = Some(Instant::now());
            let count = repo::outbox_backlog(&mut self.pool.get_conn().await?).await?;
            METRICS.outbox.rows.set(count);
        }
        Ok(())
    }
}

/// Waits until no message is under way any more; false if that takes too long.
async fn is_done(producer: &FutureProducer, timeout: Duration) -> bool {
    let done = async {
        while producer.in_flight_count() > 0 {
            tokio::time::sleep(DONE_POLL_INTERVAL).await;
        }
    };
    tokio::time::timeout(timeout, done).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::producer::FutureRecord;

    #[tokio::test]
    async fn a_producer_with_a_message_under_way_is_not_done() -> anyhow::Result<()> {
        let timeout = Duration::from_millis(100);
        // Nobody listens there: the message stays under way for its ten seconds.
        let producer = producer(&KafkaConnection::open("127.0.0.1:1"))?;
        assert!(is_done(&producer, timeout).await, "nothing was sent");
        let record = FutureRecord::to("t").key("a").payload("b");
        let sent = producer.send_result(record).map_err(|(error, _)| error)?;
        assert!(!is_done(&producer, timeout).await);
        drop(sent);
        assert!(!is_done(&producer, timeout).await, "nobody waits for it");
        Ok(())
    }
}
