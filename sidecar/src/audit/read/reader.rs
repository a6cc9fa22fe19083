//! The reader: snapshots on every server, chunk by chunk or for some accounts.

use crate::audit::read::{AccountMovement, AuditReading, EntrySeals};
use crate::audit::sql::account_filter::AccountFilter;
use crate::audit::sql::{books_sql, orders_sql, snapshot_sql};
use crate::binlog::preflight;
use crate::stream::change::AuditSubject;
use crate::stream::gtid::{Flavour, GtidSet};
use anyhow::Context;
use mysql_async::Conn;
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;

/// A connection to each of them.
pub struct AuditReader {
    pub schemas: Schemas,
    pub(super) flavour: Flavour,
    pub(super) orders: Conn,
    pub(super) balance: Option<Conn>,
    pub(super) ledger: Option<Conn>,
    pub(super) seals: EntrySeals,
    /// Fault of the mark of signed rows, if it has one.
    pub mark_fault: Option<&'static str>,
}

impl AuditReader {
    /// The next chunk: some `most` balances after the account `after`, and whatever
    /// else there is of accounts up to there.
    pub async fn chunk(
        &mut self,
        of: AuditSubject,
        after: &str,
        most: u32,
    ) -> anyhow::Result<AuditReading> {
        self.begin().await?;
        let schemas = self.schemas.clone();
        let to = books_sql::chunk_end(self.balance(), &schemas, after, most).await?;
        let which = AccountFilter::Range(after, to.as_deref());
        let mut reading = self.read(of, which).await?;
        self.end().await?;
        // A reading that was cut says up to where it is whole.
        reading.to = reading.to.or(to);
        Ok(reading)
    }

    /// These accounts as they are now.
    pub async fn these(
        &mut self,
        of: AuditSubject,
        accounts: &[String],
    ) -> anyhow::Result<AuditReading> {
        self.begin().await?;
        let reading = self.read(of, AccountFilter::These(accounts)).await?;
        self.end().await?;
        Ok(reading)
    }

    /// Versions of all balances of these accounts, and which of them have a booking
    /// under way. Not in a snapshot.
    pub async fn movement(&mut self, accounts: &[String]) -> anyhow::Result<AccountMovement> {
        let schemas = self.schemas.clone();
        let open = orders_sql::open_sagas(&mut self.orders, &schemas, accounts).await?;
        let rows =
            books_sql::balances(self.balance(), &schemas, AccountFilter::These(accounts)).await?;
        let versions = rows
            .into_iter()
            .map(|row| ((row.account, row.currency), row.version))
            .collect();
        Ok(AccountMovement { open, versions })
    }

    pub(super) fn balance(&mut self) -> &mut Conn {
        self.balance.as_mut().unwrap_or(&mut self.orders)
    }

    pub(super) fn ledger(&mut self) -> &mut Conn {
        self.ledger.as_mut().unwrap_or(&mut self.orders)
    }

    /// A position of the binlog that every later snapshot is at or after.
    pub async fn position(&mut self) -> anyhow::Result<String> {
        match self.flavour {
            // Executed is what is committed in the engine.
            Flavour::MySql => preflight::position(&mut self.orders, self.flavour).await,
            // A feed has no position of the server's: the time tells one run from another.
            Flavour::Feed => Ok(format!("audit/{}", now_us())),
            // Not gtid_binlog_pos: that is moved on before the engine has committed, and
            // a snapshot right after it may still miss the last transaction.
            Flavour::MariaDb => {
                self.begin().await?;
                let place = snapshot_sql::snapshot_binlog_position(&mut self.orders).await?;
                self.end().await?;
                let (file, at) = place
                    .context("the server does not tell where its snapshot is in the binlog")?;
                let position = snapshot_sql::gtid_of(&mut self.orders, &file, at).await?;
                let position =
                    position.with_context(|| format!("the server knows no GTID at {file}:{at}"))?;
                Ok(GtidSet::parse(self.flavour, &position)?.render())
            }
        }
    }

    async fn begin(&mut self) -> anyhow::Result<()> {
        for conn in [
            Some(&mut self.orders),
            self.balance.as_mut(),
            self.ledger.as_mut(),
        ]
        .into_iter()
        .flatten()
        {
            snapshot_sql::begin(conn).await?;
        }
        Ok(())
    }

    async fn end(&mut self) -> anyhow::Result<()> {
        for conn in [
            Some(&mut self.orders),
            self.balance.as_mut(),
            self.ledger.as_mut(),
        ]
        .into_iter()
        .flatten()
        {
            snapshot_sql::end(conn).await?;
        }
        Ok(())
    }

    async fn read(
        &mut self,
        of: AuditSubject,
        which: AccountFilter<'_>,
    ) -> anyhow::Result<AuditReading> {
        match of {
            AuditSubject::Books => self.books(which).await,
            AuditSubject::Postings => self.postings(which).await,
            AuditSubject::Captures => self.captures(which).await,
            AuditSubject::Orders => self.orders(which).await,
            AuditSubject::Entries => self.entries(which).await,
        }
    }
}
