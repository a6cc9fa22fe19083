//! Drives what nobody drives any more: intents of an instance that died, or that a
//! service was away for. Also looks whether the services answer, and counts.

use crate::guard::probe;
use crate::intents::repo;
use crate::metrics::METRICS;
use crate::orders::OrderRef;
use crate::saga::BookingSaga;
use crate::transaction::Transaction;
use sluice_contract::clock::now_us;
use sluice_contract::heartbeat::Heartbeat;
use sluice_contract::sql::Pool;
use sluice_contract::supervisor::Supervisor;
use sluice_contract::telemetry::Readiness;
use std::sync::Arc;
use std::time::Duration;

const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// Intents taken at once.
const MAX_INTENTS_PER_LEASE: usize = 128;
/// A round that takes longer hangs.
const MAX_SILENCE: Duration = Duration::from_secs(120);
/// A service that doesn't answer a ping within this is away.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

pub struct SagaRecovery {
    pub saga: Arc<BookingSaga>,
    pub readiness: Readiness,
}

impl SagaRecovery {
    pub fn start(self, parts: &Supervisor) {
        let beat = parts.heartbeat("saga-recovery", MAX_SILENCE);
        parts.spawn_loop("saga-recovery", self.run(beat));
    }

    async fn run(self, beat: Heartbeat) {
        loop {
            beat.turn();
            tokio::time::sleep(POLL_INTERVAL).await;
            let saga = &self.saga;
            let balance = self.look("balance", &saga.balance).await;
            let ledger = self.look("ledger", &saga.ledger).await;
            saga.set_away(!(balance && ledger));
            if let Err(error) = self.count().await {
                tracing::warn!("can't count open bookings: {error:#}");
            }
            if balance && ledger {
                self.drive_due(&beat).await;
            }
        }
    }

    /// All that is due, page by page; a page that fails waits for its next turn.
    async fn drive_due(&self, beat: &Heartbeat) {
        loop {
            beat.turn();
            match self.page().await {
                Ok(0) => return,
                Ok(driven) => tracing::info!(driven, "bookings driven again"),
                Err(error) => return tracing::warn!("open bookings wait: {error:#}"),
            }
        }
    }

    /// Whether the service answers; tells readiness.
    async fn look(&self, service: &'static str, pool: &Pool) -> bool {
        let asked = probe::takes_writes(pool);
        let away = match tokio::time::timeout(PING_TIMEOUT, asked).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("the {service} service can't be reached: {error:#}")),
            Err(_) => Some(format!("the {service} service doesn't answer")),
        };
        let answers = away.is_none();
        self.readiness.set(service, away);
        answers
    }

    /// Takes due intents and drives their orders' open ones; returns how many.
    async fn page(&self) -> anyhow::Result<usize> {
        let orders = self.lease().await?;
        let intents = self.saga.open_of(&orders).await?;
        let count = intents.len();
        if count > 0 {
            self.saga.drive(intents).await?;
        }
        Ok(orders.len())
    }

    async fn lease(&self) -> anyhow::Result<Vec<OrderRef>> {
        let mut conn = self.saga.orders.get_conn().await?;
        let mut transaction = Transaction::begin(&mut conn).await?;
        let orders = repo::lease(transaction.conn(), now_us(), MAX_INTENTS_PER_LEASE).await?;
        // Due times only: nothing that provenance covers.
        transaction.commit(String::new()).await?;
        Ok(orders)
    }

    async fn count(&self) -> anyhow::Result<()> {
        let mut conn = self.saga.orders.get_conn().await?;
        let (open, oldest) = repo::open(&mut conn).await?;
        METRICS.saga.open.set(open);
        METRICS
            .saga
            .oldest
            .set(oldest.map_or(0, |us| (now_us() - us) / 1_000_000));
        Ok(())
    }
}
