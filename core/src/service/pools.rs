//! Connections to each service's server, at home in its schema.

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
}

impl ServicePools {
    /// Makes the pools; nothing is connected yet.
    ///
    /// # Errors
    /// A URL that can't be read.
    pub fn connect(servers: &DatabaseUrls, schemas: &Schemas) -> anyhow::Result<Self> {
        let orders = Pool::open(&servers.orders, &schemas.orders, MAX_POOL_CONNECTIONS)?;
        if !servers.are_split() {
            return Ok(ServicePools {
                balance: orders.clone(),
                ledger: orders.clone(),
                orders,
            });
        }
        Ok(ServicePools {
            balance: Pool::open(&servers.balance, &schemas.balance, MAX_POOL_CONNECTIONS)?,
            ledger: Pool::open(&servers.ledger, &schemas.ledger, MAX_POOL_CONNECTIONS)?,
            orders,
        })
    }
}
