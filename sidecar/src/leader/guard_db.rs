//! The guard schema's database, as seen by one instance of the sidecar.

use crate::binlog::hosts::ServerHosts;
use crate::breakers::seal::{BreakerSeal, SealState};
use crate::leader::lease_repo::{self, LEASE_TTL_US, LeaseHolder};
use crate::leader::local_checkpoint::LocalCheckpoint;
use mysql_async::{Conn, Transaction};
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;
use std::sync::Arc;

/// Connections to the first server, where guard lies, under this instance's name in the
/// lease. Clones share the connections.
#[derive(Clone)]
pub struct GuardDb {
    pub hosts: Arc<ServerHosts>,
    pub schemas: Schemas,
    /// `instance` of the settings.
    pub owner: Arc<str>,
    /// Seal of the breakers, and signatures of the other rows.
    pub seal: BreakerSeal,
    /// This host's copy of the checkpoint.
    pub local: LocalCheckpoint,
}

impl GuardDb {
    /// Takes a connection from the pool.
    ///
    /// # Errors
    /// The server is away.
    pub async fn conn(&self) -> mysql_async::Result<Conn> {
        self.hosts.get_conn().await
    }

    /// Takes the lease if it is free; `last_epoch` is the last that this process led in,
    /// or 0. The inner error names the holder.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn acquire_lease(
        &self,
        last_epoch: i64,
    ) -> mysql_async::Result<Result<i64, LeaseHolder>> {
        let mut conn = self.conn().await?;
        let us = (&*self.owner, last_epoch);
        // What holds us off must be a sidecar's own row, once every one is signed.
        self.seal.rows().refresh(&mut conn, &self.schemas).await?;
        let signed = self.seal.rows();
        lease_repo::reacquire(&mut conn, &self.schemas, signed, us, now_us(), LEASE_TTL_US).await
    }

    /// Renews the lease within a transaction, which locks its row. `false` if it is not
    /// this instance's any more: the transaction must not be committed.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn renew_lease(
        &self,
        tx: &mut Transaction<'_>,
        epoch: i64,
    ) -> mysql_async::Result<bool> {
        let until_us = now_us() + LEASE_TTL_US;
        let us = (&*self.owner, epoch);
        lease_repo::renew(tx, &self.schemas, self.seal.rows(), us, until_us).await
    }

    /// Gives the lease up, if it still is this instance's and of this epoch.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn release_lease(&self, epoch: i64) -> mysql_async::Result<()> {
        let mut conn = self.conn().await?;
        let signed = self.seal.rows();
        lease_repo::release(&mut conn, &self.schemas, signed, &self.owner, epoch).await
    }

    /// Makes sure that the breakers are sealed, and learns the seal's version.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn begin_seal(&self) -> mysql_async::Result<SealState> {
        let mut conn = self.conn().await?;
        self.seal.begin(&mut conn, &self.schemas).await
    }
}
