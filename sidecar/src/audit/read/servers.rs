//! Servers that hold the books.

use crate::audit::read::{AuditReader, EntrySeals};
use crate::guard_rows::GuardRows;
use crate::stream::gtid::Flavour;
use mysql_async::{Conn, Pool};
use sluice_contract::schema::Schemas;

/// Connections to where the schemas are; without a pool of its own, a schema is on the
/// server of the orders.
pub struct AuditServers {
    pub schemas: Schemas,
    pub flavour: Flavour,
    pub orders: Pool,
    pub balance: Option<Pool>,
    pub ledger: Option<Pool>,
    /// Keys that entries may be sealed with, and the mark since when.
    pub rows: GuardRows,
}

impl AuditServers {
    pub fn has_split_books(&self) -> bool {
        self.balance.is_some() || self.ledger.is_some()
    }

    /// A connection to where the ledger is.
    pub async fn ledger_conn(&self) -> mysql_async::Result<Conn> {
        let pool = self.ledger.as_ref().unwrap_or(&self.orders);
        pool.get_conn().await
    }

    pub async fn reader(&self) -> mysql_async::Result<AuditReader> {
        let mut orders = self.orders.get_conn().await?;
        let mark_fault = self.rows.check_mark(&mut orders, &self.schemas).await?;
        let seals = EntrySeals {
            keys: self.rows.entry_keys(),
            from_us: self.rows.entries_from_us(),
        };
        Ok(AuditReader {
            schemas: self.schemas.clone(),
            flavour: self.flavour,
            seals,
            mark_fault,
            orders,
            balance: conn_of(self.balance.as_ref()).await?,
            ledger: conn_of(self.ledger.as_ref()).await?,
        })
    }
}

async fn conn_of(pool: Option<&Pool>) -> mysql_async::Result<Option<Conn>> {
    match pool {
        Some(pool) => pool.get_conn().await.map(Some),
        None => Ok(None),
    }
}
