//! Quarantined orders: rows that can't be read or written whatever is tried. They wait
//! for a person, with a case, so that the orders beside them go on.

use crate::cases::{CaseKind, OrderCase, detail};
use crate::orders::{AlteredOrder, OrderRef};
use crate::unit_of_work::open_case;
use sluice_contract::provenance::TransactionSigner;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::Pool;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An order is tried again after this: somebody may have mended the row.
const RETRY_DELAY: Duration = Duration::from_secs(600);
/// Account and order of a case that is of no order.
const NO_ACCOUNT: &str = "-";
const BREAKER_CASE: &str = "breaker";
/// Orders remembered at most: more would be tried at each look, as before.
const MAX_QUARANTINED_ORDERS: usize = 1_000;

/// Quarantine of one process; cheap to clone. Its contents are a hint: another instance
/// finds out by itself.
#[derive(Clone)]
pub struct OrderQuarantine {
    pool: Pool,
    schemas: Schemas,
    key: TransactionSigner,
    orders: Arc<Mutex<HashMap<String, Instant>>>,
    /// Breakers that have their case.
    breakers: Arc<Mutex<HashMap<String, Instant>>>,
}

impl OrderQuarantine {
    pub fn new(pool: &Pool, schemas: &Schemas, key: &TransactionSigner) -> Self {
        OrderQuarantine {
            pool: pool.clone(),
            schemas: schemas.clone(),
            key: key.clone(),
            orders: Arc::default(),
            breakers: Arc::default(),
        }
    }

    /// Opens the order's case and quarantines it. `what` says what can't be done. If
    /// not even the case can be written, it isn't this row that is broken (a server
    /// that only reads, a full disk): then nothing is quarantined.
    pub async fn put(&self, at: &OrderRef, what: &str, error: &anyhow::Error) {
        self.keep(at, CaseKind::Unreadable, &format!("{what}: {error:#}"))
            .await;
    }

    /// Quarantines an order that somebody changed beside the core, with its case.
    pub async fn put_altered(&self, order: &AlteredOrder) {
        let kind = order.breach.case_kind();
        self.keep(&order.at, kind, &order.breach.to_string()).await;
    }

    async fn keep(&self, at: &OrderRef, kind: CaseKind, why: &str) {
        if let Err(error) = self.open(at, kind, detail(why)).await {
            tracing::error!(order = %at.order_id, "{why}, and neither can its case be written: {error:#}");
            return;
        }
        tracing::error!(order = %at.order_id, account = %at.account_id, case = kind.as_str(), "put aside: {why}");
        self.hold(at);
    }

    /// Quarantines an order that has its case already.
    pub fn hold(&self, at: &OrderRef) {
        let mut orders = lock(&self.orders);
        if orders.len() < MAX_QUARANTINED_ORDERS {
            orders.insert(at.order_id.clone(), Instant::now());
        }
    }

    /// Opens one case for a breaker that this version does not know, however many orders
    /// it stops: they are not at fault.
    pub async fn report_breaker(&self, name: &str) {
        {
            let mut known = lock(&self.breakers);
            known.retain(|_, since| since.elapsed() < RETRY_DELAY);
            let is_room = known.len() < MAX_QUARANTINED_ORDERS;
            if !is_room || known.insert(name.to_owned(), Instant::now()).is_some() {
                return;
            }
        }
        let text = format!(
            "breaker {name} is of a kind that this version does not know: it stops all that it may mean"
        );
        tracing::error!("{text}");
        let at = OrderRef::new(NO_ACCOUNT, BREAKER_CASE);
        if let Err(error) = self.open(&at, CaseKind::Unreadable, detail(&text)).await {
            tracing::error!("its case can't be written, and is tried again: {error:#}");
            lock(&self.breakers).remove(name);
        }
    }

    async fn open(&self, at: &OrderRef, kind: CaseKind, detail: String) -> anyhow::Result<()> {
        let (account_id, order_id) = (at.account_id.clone(), at.order_id.clone());
        let case = OrderCase {
            account_id,
            order_id,
            kind,
            detail,
        };
        open_case(&self.pool, &self.schemas, &self.key, case).await
    }

    /// Tells whether the order is quarantined.
    pub fn holds(&self, at: &OrderRef) -> bool {
        lock(&self.orders).contains_key(&at.order_id)
    }

    /// Lists the orders that are quarantined now.
    pub fn ids(&self) -> Vec<String> {
        let mut orders = lock(&self.orders);
        orders.retain(|_, since| since.elapsed() < RETRY_DELAY);
        orders.keys().cloned().collect()
    }
}

/// Locks a map, for look-ups only, never across an await.
fn lock(map: &Mutex<HashMap<String, Instant>>) -> MutexGuard<'_, HashMap<String, Instant>> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}
