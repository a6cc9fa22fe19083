//! Connections to each service's server, at home in its schema.

use crate::http::reads::MAX_READS;
use crate::schema::DatabaseUrls;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::Pool;

/// Connections of everything but the accept writers, which own theirs.
const MAX_POOL_CONNECTIONS: usize = 24;

/// Pools of the three services; on one server they are one pool.
pub(super) struct ServicePools {
    pub orders: Pool,
    pub balance: Pool,
    pub ledger: Pool,
    /// Connections of expensive reads of the ledger, whose statements the server ends.
    pub reads: Pool,
}

impl ServicePools {
    /// Makes the pools; nothing is connected yet.
    ///
    /// # Errors
    /// A URL that can't be read.
    pub fn connect(servers: &DatabaseUrls, schemas: &Schemas) -> anyhow::Result<Self> {
        let orders = Pool::open(&servers.orders, &schemas.orders, MAX_POOL_CONNECTIONS)?;
        let reads = Pool::open_with(
            &servers.ledger,
            &schemas.ledger,
            MAX_READS,
            READ_TIMEOUT_SQL,
        )?;
        if !servers.are_split() {
            return Ok(ServicePools {
                balance: orders.clone(),
                ledger: orders.clone(),
                orders,
                reads,
            });
        }
        Ok(ServicePools {
            balance: Pool::open(&servers.balance, &schemas.balance, MAX_POOL_CONNECTIONS)?,
            ledger: Pool::open(&servers.ledger, &schemas.ledger, MAX_POOL_CONNECTIONS)?,
            orders,
            reads,
        })
    }
}

/// Bound on one statement of an expensive read, each server in its own words: MariaDB in
/// seconds, MySQL in milliseconds.
const READ_TIMEOUT_SQL: &str = "SET SESSION /*M! max_statement_time=5, */ /*!80000 max_execution_time=5000, */ \
    time_zone='+00:00'";
