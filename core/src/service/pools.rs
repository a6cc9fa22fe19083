//! Connections to each service's server, at home in its schema.

use crate::http::reads::MAX_READS;
use crate::schema::DatabaseUrls;
use mysql_async::{Opts, OptsBuilder, Pool};
use sluice_contract::schema::Schemas;
use sluice_contract::sql;

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
        let orders = pool_at(&servers.orders, &schemas.orders)?;
        let reads = reads_at(&servers.ledger, &schemas.ledger)?;
        if !servers.are_split() {
            return Ok(ServicePools {
                balance: orders.clone(),
                ledger: orders.clone(),
                orders,
                reads,
            });
        }
        Ok(ServicePools {
            balance: pool_at(&servers.balance, &schemas.balance)?,
            ledger: pool_at(&servers.ledger, &schemas.ledger)?,
            orders,
            reads,
        })
    }
}

fn pool_at(url: &str, schema: &str) -> anyhow::Result<Pool> {
    let options = sql::options(url)?.db_name(Some(schema));
    sql::pool_of(options, MAX_POOL_CONNECTIONS)
}

/// Bound on one statement of an expensive read, each server in its own words: MariaDB in
/// seconds, MySQL in milliseconds.
const READ_TIMEOUT_SQL: &str = "SET SESSION /*M! max_statement_time=5, */ /*!80000 max_execution_time=5000, */ \
    time_zone='+00:00'";

fn reads_at(url: &str, schema: &str) -> anyhow::Result<Pool> {
    let options = Opts::from(sql::options(url)?.db_name(Some(schema)));
    let mut setup = options.setup().to_vec();
    setup.push(READ_TIMEOUT_SQL.to_owned());
    sql::pool_of(OptsBuilder::from_opts(options).setup(setup), MAX_READS)
}
