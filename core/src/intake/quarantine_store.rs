//! Store of payments that are set aside: each is written down before its offset is
//! committed, and tried again at the start and from time to time.

use crate::accept::Acceptor;
use crate::batch::policy::INTAKE;
use crate::intake::count;
use crate::intake::message::ReceivedPayment;
use crate::intake::quarantine::{QuarantineKeys, QuarantinedPayment};
use crate::intake::quarantine_repo::{self, StoredPayment};
use crate::metrics::METRICS;
use anyhow::ensure;
use futures_util::future::join_all;
use sluice_contract::clock::now_us;
use sluice_contract::event::EventVerifier;
use sluice_contract::keys::SigningKeys;
use sluice_contract::settings::Secret;
use sluice_contract::sql::Pool;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Rows at most. Beyond them the intake waits: an event that is passed over is money lost.
const MAX_ROWS: u64 = 1_000_000;
const MAX_ROWS_PER_PAGE: usize = 100;
/// Rows of one statement.
const MAX_ROWS_PER_INSERT: usize = 8;
/// Interval at which all are tried again, by every core: another build may know more.
const RETAKE_INTERVAL: Duration = Duration::from_secs(30);
/// However many there are, trying them takes at most this share of the time.
const RETAKE_PAUSE_FACTOR: u32 = 20;

/// Store of one core.
pub(super) struct PaymentQuarantine {
    pool: Pool,
    keys: QuarantineKeys,
    producers: EventVerifier,
    acceptor: Arc<Acceptor>,
    /// Rows, as of the last time that all were tried, and those written since.
    rows: AtomicU64,
}

impl PaymentQuarantine {
    pub(super) fn new(
        pool: Pool,
        provenance: &SigningKeys,
        retired: &[Secret],
        producers: EventVerifier,
        acceptor: Arc<Acceptor>,
    ) -> Self {
        PaymentQuarantine {
            pool,
            keys: QuarantineKeys::new(provenance, retired),
            producers,
            acceptor,
            rows: AtomicU64::new(0),
        }
    }

    /// Returns once all are written down, however long that takes.
    pub(super) async fn keep(&self, payments: Vec<QuarantinedPayment>) {
        let mut attempt = 0;
        while let Err(error) = self.write(&payments).await {
            METRICS.intake.retries.inc();
            tracing::warn!("payments wait to be set aside: {error:#}");
            tokio::time::sleep(INTAKE.after_conflict(attempt)).await;
            attempt += 1;
        }
    }

    async fn write(&self, payments: &[QuarantinedPayment]) -> anyhow::Result<()> {
        if payments.is_empty() {
            return Ok(());
        }
        let rows = self.rows.load(Ordering::Relaxed);
        ensure!(
            rows < MAX_ROWS,
            "{rows} payments are set aside, and no more fit: start a build that can book them, or take out those \
             that nobody should (sluice events payments)"
        );
        let mut conn = self.pool.get_conn().await?;
        // Few at a time: a payload is as large as the brokers let it be, and a packet is not.
        for some in payments.chunks(MAX_ROWS_PER_INSERT) {
            quarantine_repo::insert(&mut conn, &self.keys, some, now_us()).await?;
        }
        let rows = rows + payments.len() as u64;
        self.rows.store(rows, Ordering::Relaxed);
        METRICS.intake.quarantined.set(gauge(rows));
        Ok(())
    }

    /// Tries all again, at once and from then on, for as long as the process lives.
    pub(super) async fn retake(self: Arc<Self>) {
        loop {
            let begun = Instant::now();
            if let Err(error) = self.retake_all().await {
                tracing::warn!("payments that are set aside can't be tried now: {error:#}");
            }
            tokio::time::sleep(RETAKE_INTERVAL.max(begun.elapsed() * RETAKE_PAUSE_FACTOR)).await;
        }
    }

    async fn retake_all(&self) -> anyhow::Result<()> {
        let (mut after, mut rows) = (String::new(), 0);
        loop {
            let mut conn = self.pool.get_conn().await?;
            let page = quarantine_repo::page(&mut conn, &after, MAX_ROWS_PER_PAGE).await?;
            drop(conn);
            let is_last = page.len() < MAX_ROWS_PER_PAGE;
            if let Some(last) = page.last() {
                after.clone_from(&last.digest);
            }
            let tried = join_all(page.into_iter().map(|stored| self.retake_one(stored))).await;
            for is_booked in tried {
                rows += u64::from(!is_booked?);
            }
            if is_last {
                break;
            }
        }
        self.rows.store(rows, Ordering::Relaxed);
        METRICS.intake.quarantined.set(gauge(rows));
        Ok(())
    }

    /// Books it if this build can, and takes it out of the store then; tells whether it did.
    async fn retake_one(&self, stored: StoredPayment) -> anyhow::Result<bool> {
        let StoredPayment {
            digest,
            source,
            mac,
        } = stored;
        if !self.keys.holds(&source, &mac) {
            tracing::error!(digest, "no core has set this payment aside: not booked");
            return Ok(false);
        }
        if !source.may_count(&self.producers) {
            tracing::warn!(
                digest,
                "a payment was set aside unsigned, and signatures are demanded now: not booked until \
                it is told again with one"
            );
            return Ok(false);
        }
        let Ok(ReceivedPayment { request, source }) = source.request() else {
            return Ok(false);
        };
        let account = request.booking.account_id().to_owned();
        match self.acceptor.submit(request, |_| ()).await {
            Ok(accepted) => {
                count(if accepted.replayed {
                    "repeated"
                } else {
                    "booked"
                });
                let (partition, offset) = (source.place.partition, source.place.offset);
                tracing::info!(
                    partition,
                    offset,
                    account,
                    "a payment that was set aside is booked"
                );
                quarantine_repo::delete(&mut self.pool.get_conn().await?, &digest).await?;
                Ok(true)
            }
            Err(refusal) => {
                tracing::warn!(digest, account, "a payment stays set aside: {refusal}");
                Ok(false)
            }
        }
    }
}

fn gauge(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
