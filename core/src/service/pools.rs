//! Connections to each service's server, at home in its schema.

use crate::schema::DatabaseUrls;
use mysql_async::Pool;
use sluice_contract::schema::Schemas;
use sluice_contract::sql;

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
        let orders = pool_at(&servers.orders, &schemas.orders)?;
        if !servers.are_split() {
            return Ok(ServicePools {
                balance: orders.clone(),
                ledger: orders.clone(),
                orders,
            });
        }
        Ok(ServicePools {
            balance: pool_at(&servers.balance, &schemas.balance)?,
            ledger: pool_at(&servers.ledger, &schemas.ledger)?,
            orders,
        })
    }
}

fn pool_at(url: &str, schema: &str) -> anyhow::Result<Pool> {
    let options = sql::options(url)?.db_name(Some(schema));
    sql::pool_of(options, MAX_POOL_CONNECTIONS)
}
