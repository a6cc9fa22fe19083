//! Orders put aside: rows that can't be read or written whatever is tried. They wait
//! for a person, with a case, so that the orders beside them go on.

use crate::cases::{CaseKind, OrderCase, detail};
use crate::orders::OrderRef;
use crate::unit_of_work::UnitOfWork;
use mysql_async::Pool;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Tried again after this: somebody may have mended the row.
const RETRY_DELAY: Duration = Duration::from_secs(600);
/// More are not remembered: they would be tried at each look, as before.
const MAX_QUARANTINED_ORDERS: usize = 1_000;

/// Cheap to clone; one per process. What is in here is a hint: another instance
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

    /// Opens the order's case and puts it aside. `what` says what can't be done. If
    /// not even the case can be written, it isn't this row that is broken (a server
    /// that only reads, a full disk): then nothing is put aside.
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
        let unit_of_work = UnitOfWork {
            cases: vec![case],
            ..UnitOfWork::default()
        };
        let mut conn = self.pool.get_conn().await?;
        conn.query_drop("START TRANSACTION").await?;
        conn.query_drop(unit_of_work.commit_sql(&self.schemas, &self.key, now_us())?)
            .await?;
        Ok(())
    }

    pub fn holds(&self, at: &OrderRef) -> bool {
        self.lock().contains_key(&at.order_id)
    }

    /// All that are aside now.
    pub fn ids(&self) -> Vec<String> {
        let mut orders = self.lock();
        orders.retain(|_, since| since.elapsed() < RETRY_DELAY);
        orders.keys().cloned().collect()
    }

    /// Held for map look-ups only, never across an await.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
