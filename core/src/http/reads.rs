//! Connections of expensive reads: few, apart from those of the money path, each statement
//! bounded by the server, and no queue behind them.

use crate::http::error::ApiError;
use sluice_contract::sql::{Conn, Pool};
use sluice_contract::wire::ApiCode;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Reads at a time; as many as the pool has connections.
pub const MAX_READS: usize = 4;
/// Wait of a new request for one of them; then it is told to come again.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Wait of an answer that is under way: cutting it off would waste what was sent.
const NEXT_WAIT: Duration = Duration::from_secs(20);

/// Connections for statements and entries; cheap to clone.
#[derive(Clone)]
pub struct LedgerReads {
    pool: Pool,
    permits: Arc<Semaphore>,
}

/// A connection, and the permit that it stands for.
pub(super) struct LedgerReadConn {
    conn: Conn,
    _permit: OwnedSemaphorePermit,
}

impl Deref for LedgerReadConn {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.conn
    }
}

impl DerefMut for LedgerReadConn {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.conn
    }
}

impl LedgerReads {
    pub fn new(pool: Pool) -> Self {
        LedgerReads {
            pool,
            permits: Arc::new(Semaphore::new(MAX_READS)),
        }
    }

    /// A connection for a new request.
    ///
    /// # Errors
    /// All are busy (503, with a time to come again), or the database's.
    pub(super) async fn first(&self) -> Result<LedgerReadConn, ApiError> {
        self.within(FIRST_WAIT).await
    }

    /// A connection for the next page of an answer that is under way.
    ///
    /// # Errors
    /// As of a first one, much later.
    pub(super) async fn next(&self) -> anyhow::Result<LedgerReadConn> {
        self.within(NEXT_WAIT)
            .await
            .map_err(|e| anyhow::anyhow!(e.msg))
    }

    async fn within(&self, wait: Duration) -> Result<LedgerReadConn, ApiError> {
        let permit = tokio::time::timeout(wait, self.permits.clone().acquire_owned());
        let Ok(Ok(permit)) = permit.await else {
            return Err(ApiError::new(
                ApiCode::Overloaded,
                "too many statements are being read: ask again in a moment",
            ));
        };
        let conn = self.pool.get_conn().await;
        Ok(LedgerReadConn {
            conn: conn.map_err(|e| ApiError::internal(&e.into()))?,
            _permit: permit,
        })
    }
}
