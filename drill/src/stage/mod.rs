//! The whole system on this machine: a private MariaDB, Kafka, the channel
//! simulators, and core and sidecar as real processes. Demo, `up`, benchmark and
//! tests all play on it.

pub mod client;
mod databases;
pub mod fence_probe;
pub mod merchants;
mod options;
mod processes;
mod servers;
mod settings;
pub mod traffic;
mod waiting;

pub use crate::stage::databases::ProgramUrls;
pub use crate::stage::options::{BRIEF_LATENESS, StageOptions};
pub use crate::stage::servers::SplitBookServers;
pub use crate::stage::settings::StagePorts;

use crate::channels::SimulatorServer;
use crate::checks::{self, CheckedPayment, Invariants};
use crate::load::EventProducer;
use crate::load::request::LoadTarget;
use crate::setup::{ChildProcess, EmbeddedKafka, MariadbServer};
use crate::stage::client::StageClient;
use mysql_async::Pool;
use sluice_contract::provenance::{TransactionSigner, TransactionVerifier};
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A program is ready within this.
const START_TIMEOUT: Duration = Duration::from_secs(40);
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// A running stage. Dropping it stops everything it started.
pub struct DrillStage {
    pub dir: PathBuf,
    pub options: StageOptions,
    pub schemas: Schemas,
    /// The database, for the user who may do everything.
    pub url: String,
    /// The databases, for the programs.
    pub urls: ProgramUrls,
    pub brokers: String,
    /// The core's provenance key: the MACs of rows are made with it.
    pub key: Secret,
    /// Everything that the core signs with: faults and repairs do too.
    pub signer: TransactionSigner,
    /// Everything that the sidecar verifies transactions with.
    pub verifier: TransactionVerifier,
    pub token: Secret,
    pub ports: StagePorts,
    pub pool: Pool,
    /// Servers of balance and ledger, if the books are split.
    pub split_books: Option<SplitBookServers>,
    pub client: StageClient,
    pub events: EventProducer,
    pub sims: SimulatorServer,
    pub core: Option<ChildProcess>,
    pub sidecar: Option<ChildProcess>,
    pub mariadb: Option<MariadbServer>,
    pub kafka: Option<EmbeddedKafka>,
    stop: CancellationToken,
}

impl Drop for DrillStage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl DrillStage {
    /// The whole stage, ready for orders.
    pub async fn up(
        dir: &Path,
        options: StageOptions,
        on_step: &(impl Fn(&str) + Sync),
    ) -> anyhow::Result<Self> {
        let mut stage = DrillStage::prepare(dir, options, on_step).await?;
        on_step("core");
        stage.start_core().await?;
        on_step("sidecar");
        stage.start_sidecar().await?;
        stage.wait_for_fence().await?;
        Ok(stage)
    }

    /// The target of load.
    pub fn target(&self) -> LoadTarget {
        LoadTarget::new(&self.ports.address(self.ports.core))
    }

    /// Everything that the channels really paid.
    pub fn book(&self) -> Vec<CheckedPayment> {
        let paid = |p: crate::channels::BookedPayment| CheckedPayment {
            serial_no: p.serial_no,
            to_account: p.to_account,
            amount: p.amount,
            currency: p.currency,
            returned: p.returned,
        };
        self.sims.book().into_iter().map(paid).collect()
    }

    pub async fn invariants(&self) -> anyhow::Result<Invariants> {
        let (balance, ledger) = match &self.split_books {
            Some(split_books) => (&split_books.balance_pool, &split_books.ledger_pool),
            None => (&self.pool, &self.pool),
        };
        let servers = checks::CheckedServers {
            orders: &self.pool,
            balance,
            ledger,
        };
        checks::invariants(servers, &self.schemas, &self.book()).await
    }

    /// Stops in the order in which nothing is left waiting for a dead neighbour.
    pub async fn down(mut self) -> anyhow::Result<()> {
        for mut process in [self.core.take(), self.sidecar.take()]
            .into_iter()
            .flatten()
        {
            process.terminate(STOP_TIMEOUT).await?;
        }
        self.stop.cancel();
        self.pool.clone().disconnect().await?;
        if let Some(mut server) = self.mariadb.take() {
            server.stop().await?;
        }
        if let Some(mut split_books) = self.split_books.take() {
            for pool in [split_books.balance_pool, split_books.ledger_pool] {
                pool.disconnect().await?;
            }
            split_books.balance.stop().await?;
            split_books.ledger.stop().await?;
        }
        Ok(())
    }
}
