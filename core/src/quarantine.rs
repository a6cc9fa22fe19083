//! Quarantined orders: rows that can't be read or written whatever is tried. They wait
//! for a person, with a case, so that the orders beside them go on.

use crate::cases::{CaseKind, OrderCase, detail};
use crate::orders::OrderRef;
use crate::unit_of_work::open_case;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use sluice_contract::sql::Pool;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An order is tried again after this: somebody may have mended the row.
const RETRY_DELAY: Duration = Duration::from_secs(600);
/// Orders remembered at most: more would be tried at each look, as before.
const MAX_QUARANTINED_ORDERS: usize = 1_000;

/// Quarantine of one process; cheap to clone. Its contents are a hint: another instance
/// finds out by itself.
#[derive(Clone)]
pub struct OrderQuarantine {
    pool: Pool,
    schemas: Schemas,
    key: Secret,
    orders: Arc<Mutex<HashMap<String, Instant>>>,
}

impl OrderQuarantine {
    pub fn new(pool: &Pool, schemas: &Schemas, key: &Secret) -> Self {
        OrderQuarantine {
            pool: pool.clone(),
            schemas: schemas.clone(),
            key: key.clone(),
            orders: Arc::default(),
        }
    }

    /// Opens the order's case and quarantines it. `what` says what can't be done. If
    /// not even the case can be written, it isn't this row that is broken (a server
    /// that only reads, a full disk): then nothing is quarantined.
    pub async fn put(&self, at: &OrderRef, what: &str, error: &anyhow::Error) {
        if let Err(error) = self.open(at, detail(&format!("{what}: {error:#}"))).await {
            tracing::error!(order = %at.order_id, "{what}, and neither can its case be written: {error:#}");
            return;
        }
        tracing::error!(order = %at.order_id, account = %at.account_id, "put aside: {what}: {error:#}");
        let mut orders = self.lock();
        if orders.len() < MAX_QUARANTINED_ORDERS {
            orders.insert(at.order_id.clone(), Instant::now());
        }
    }

    async fn open(&self, at: &OrderRef, detail: String) -> anyhow::Result<()> {
        let (account_id, order_id) = (at.account_id.clone(), at.order_id.clone());
        let case = OrderCase {
            account_id,
            order_id,
            kind: CaseKind::Unreadable,
            detail,
        };
        open_case(&self.pool, &self.schemas, &self.key, case).await
    }

    /// Tells whether the order is quarantined.
    pub fn holds(&self, at: &OrderRef) -> bool {
        self.lock().contains_key(&at.order_id)
    }

    /// Lists the orders that are quarantined now.
    pub fn ids(&self) -> Vec<String> {
        let mut orders = self.lock();
        orders.retain(|_, since| since.elapsed() < RETRY_DELAY);
        orders.keys().cloned().collect()
    }

    /// Locks the map, for look-ups only, never across an await.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
