//! Publishes the outbox to Kafka: at least once, in the order of commits of each
//! order. A row is deleted only after Kafka has acknowledged all of its events,
//! so an outage of any length loses nothing.
//!
//! | phase | statement | round trips |
//! |---|---|---|
//! | lease | conditional UPDATE of `lease`, at half of its life | 0, rarely 1 |
//! | read | SELECT the oldest rows | 1, with a COUNT if the page is full |
//! | publish | a produce for each event, all at once | Kafka's, in parallel |
//! | delete | DELETE the published rows | 1 |

use crate::guard::lease;
use crate::metrics::METRICS;
use crate::orders::repo::{self, OutboxRow};
use anyhow::Context;
use mysql_async::Pool;
use mysql_async::prelude::Queryable;
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use sluice_contract::clock::now_us;
use sluice_contract::event::{ORDER_TOPIC, OrderEvent};
use sluice_contract::kafka::KafkaConnection;
use sluice_contract::schema::Schemas;
use sluice_contract::supervisor::Supervisor;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Outbox rows published and deleted together.
const MAX_ROWS_PER_ROUND: usize = 200;
const IDLE_POLL_INTERVAL: Duration = Duration::from_millis(50);
const RETRY_DELAY: Duration = Duration::from_millis(500);
/// The relay's lease: one instance publishes at a time, so that order holds.
const LEASE_NAME: &str = "relay";
const LEASE_DURATION_US: i64 = 5_000_000;

pub struct OutboxRelay {
    pub pool: Pool,
    pub schemas: Schemas,
    pub owner: String,
    pub producer: Option<FutureProducer>,
    /// Time in µs until which the lease is known to be ours; 0 at the start.
    pub held_until_us: i64,
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
        .set("message.timeout.ms", "30000")
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
        parts.spawn("outbox-relay", self.run(parts.stop_token()));
    }

    async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            let pause = match self.round().await {
                Ok(0) => IDLE_POLL_INTERVAL,
                Ok(_) => Duration::ZERO,
                Err(error) => {
                    METRICS.outbox.failures.inc();
                    tracing::warn!("events wait in the outbox: {error:#}");
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

    async fn release_lease(&self) -> anyhow::Result<()> {
        let released = async {
            let mut conn = self.pool.get_conn().await?;
            lease::release(&mut conn, &self.schemas, LEASE_NAME, &self.owner).await
        };
        if let Err(error) = released.await {
            tracing::warn!("the relay's lease runs out by itself: {error:#}");
        }
        Ok(())
    }

    /// Publishes one page; returns how many rows it held.
    async fn round(&mut self) -> anyhow::Result<usize> {
        let mut conn = self.pool.get_conn().await?;
        if !self.hold_lease(&mut conn).await? {
            // The holder reports the backlog; an old number here would look stuck.
            METRICS.outbox.rows.set(0);
            METRICS.outbox.oldest.set(0);
            return Ok(0);
        }
        let page = repo::outbox_page(&mut conn, MAX_ROWS_PER_ROUND).await?;
        if page.len() < MAX_ROWS_PER_ROUND {
            METRICS.outbox.rows.set(page.len() as i64);
        } else {
            METRICS
                .outbox
                .rows
                .set(repo::outbox_backlog(&mut conn).await?.0);
        }
        METRICS.outbox.oldest.set(
            page.first()
                .map_or(0, |r| (now_us() - r.created_us) / 1_000_000),
        );
        if page.is_empty() {
            return Ok(0);
        }
        if let Some(producer) = &self.producer {
            drop(conn);
            publish(producer, &page).await?;
            conn = self.pool.get_conn().await?;
        } else if page.iter().any(|r| r.events != "[]") {
            // Without Kafka events are kept; rows that hold none may go.
            return self.drop_empty(&mut conn, page).await;
        }
        repo::outbox_delete(&mut conn, &page).await?;
        Ok(page.len())
    }

    async fn drop_empty(
        &self,
        conn: &mut impl Queryable,
        page: Vec<OutboxRow>,
    ) -> anyhow::Result<usize> {
        let empty: Vec<OutboxRow> = page.into_iter().filter(|r| r.events == "[]").collect();
        if !empty.is_empty() {
            repo::outbox_delete(conn, &empty).await?;
        }
        Ok(0)
    }

    /// Takes or renews the lease by a conditional write, at half of its life.
    async fn hold_lease(&mut self, conn: &mut impl Queryable) -> anyhow::Result<bool> {
        let now = now_us();
        if self.held_until_us - now > LEASE_DURATION_US / 2 {
            return Ok(true);
        }
        if !lease::take(
            conn,
            &self.schemas,
            LEASE_NAME,
            &self.owner,
            now,
            LEASE_DURATION_US,
        )
        .await?
        {
            tokio::time::sleep(RETRY_DELAY).await;
            return Ok(false);
        }
        self.held_until_us = now + LEASE_DURATION_US;
        Ok(true)
    }
}

async fn publish(producer: &FutureProducer, page: &[OutboxRow]) -> anyhow::Result<()> {
    let mut sent = Vec::new();
    for row in page {
        let events: Vec<OrderEvent> =
            serde_json::from_str(&row.events).context("outbox row is not JSON")?;
        for event in events {
            let body = serde_json::to_vec(&event)?;
            sent.push((event.account_id, body));
        }
    }
    let count = sent.len() as u64;
    let acks = sent.iter().map(|(account, body)| {
        producer.send(
            FutureRecord::to(ORDER_TOPIC).key(account).payload(body),
            Timeout::After(Duration::from_secs(10)),
        )
    });
    for ack in futures_util::future::join_all(acks).await {
        ack.map_err(|(error, _)| error)
            .context("Kafka did not acknowledge")?;
    }
    METRICS.outbox.published.inc_by(count);
    Ok(())
}
