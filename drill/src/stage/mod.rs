//! The whole system on this machine: a private MariaDB, Kafka, the channel
//! simulators, and core and sidecar as real processes. Demo, `up`, benchmark and
//! tests all play on it.

pub mod client;
pub mod merchants;
mod settings;
pub mod traffic;

pub mod fence_probe;

use crate::channels::{SimulatorConfig, SimulatorServer};
use crate::checks::{self, CheckedPayment, Invariants};
use crate::load::EventProducer;
use crate::load::request::LoadTarget;
use crate::setup::ports::free_port;
use crate::setup::{
    ChildProcess, EmbeddedKafka, MariadbOptions, MariadbServer, ProgramSpec, required_tools,
    secrets,
};
use crate::stage::client::StageClient;
use anyhow::{Context, bail};
use mysql_async::Pool;
use mysql_async::prelude::Queryable;
use sluice_contract::event::{BUSINESS_TOPICS, ORDER_TOPIC};
use sluice_contract::order::OrderKind;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use sluice_contract::sql;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use crate::stage::settings::StagePorts;

/// How long a program may take until it is ready.
const START_TIMEOUT: Duration = Duration::from_secs(40);
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
/// Partitions of each topic on the embedded Kafka.
const PARTITIONS_PER_TOPIC: i32 = 2;

/// What the stage is to be like. `Default` is the demo's.
#[derive(Debug, Clone)]
pub struct StageOptions {
    pub database: String,
    pub rules: PathBuf,
    pub sims: SimulatorConfig,
    pub mariadb: MariadbOptions,
    /// Use these instead of private ones.
    pub mysql_url: Option<String>,
    /// Balance and ledger get private servers of their own.
    pub split_books: bool,
    pub brokers: Option<String>,
    /// Appended to the core's settings file (TOML tables or dotted keys).
    pub core_extra: String,
    /// Settings of every channel in the core's file, one a line.
    pub each_channel: String,
    pub sidecar_extra: String,
    /// The sidecar reads a connector's change feed of this prefix, not the binlog.
    pub changes: Option<String>,
    /// Environment of both programs, such as `RUST_LOG`.
    pub env: Vec<(String, String)>,
    /// Fixed ports (`make up`); free ones if `None`.
    pub ports: Option<StagePorts>,
    pub fence: bool,
    pub dispatch: bool,
}

impl Default for StageOptions {
    fn default() -> Self {
        StageOptions {
            database: "sluice".into(),
            rules: PathBuf::from("rules"),
            sims: SimulatorConfig::default(),
            mariadb: MariadbOptions::default(),
            mysql_url: None,
            split_books: false,
            brokers: None,
            core_extra: String::new(),
            each_channel: "deadline_ms = 1000".into(),
            sidecar_extra: String::new(),
            changes: None,
            env: Vec::new(),
            ports: None,
            fence: true,
            dispatch: true,
        }
    }
}

impl StageOptions {
    /// Real services named in the environment are used instead of private ones.
    pub fn from_environment(mut self) -> Self {
        let set = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
        self.mysql_url = set("SLUICE_MYSQL_URL");
        self.brokers = set("SLUICE_KAFKA_BROKERS");
        self
    }
}

/// A running stage. Dropping it stops everything it started.
pub struct DrillStage {
    pub dir: PathBuf,
    pub options: StageOptions,
    pub schemas: Schemas,
    pub url: String,
    pub brokers: String,
    /// The core's provenance key: faults and repairs sign with it.
    pub key: Secret,
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

/// The servers of balance and ledger, and connections to them.
pub struct SplitBookServers {
    pub balance: MariadbServer,
    pub ledger: MariadbServer,
    pub balance_pool: Pool,
    pub ledger_pool: Pool,
}

impl SplitBookServers {
    async fn start(dir: &Path, options: &MariadbOptions) -> anyhow::Result<Self> {
        let (at_balance, at_ledger) = (dir.join("mariadb-balance"), dir.join("mariadb-ledger"));
        let (balance, ledger) = tokio::try_join!(
            MariadbServer::start(&at_balance, options.clone()),
            MariadbServer::start(&at_ledger, options.clone())
        )?;
        let (balance_pool, ledger_pool) =
            (sql::pool(&balance.url(), 8)?, sql::pool(&ledger.url(), 8)?);
        Ok(SplitBookServers {
            balance,
            ledger,
            balance_pool,
            ledger_pool,
        })
    }
}

impl Drop for DrillStage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl DrillStage {
    /// Starts the servers and simulators, but neither core nor sidecar. `on_step` is
    /// called with each step.
    pub async fn prepare(
        dir: &Path,
        options: StageOptions,
        on_step: &(impl Fn(&str) + Sync),
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("can't make {}", dir.display()))?;
        // Settings files hold the database's password.
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
        let secrets_dir = secrets::create(dir)?;
        let ports = match options.ports {
            Some(ports) => ports,
            None => StagePorts {
                core: free_port()?,
                core_admin: free_port()?,
                sidecar: free_port()?,
                sims: free_port()?,
            },
        };
        let (mariadb, url) = match &options.mysql_url {
            Some(url) => (None, url.clone()),
            None => {
                required_tools::check()?;
                on_step("private MariaDB");
                let server =
                    MariadbServer::start(&dir.join("mariadb"), options.mariadb.clone()).await?;
                let url = server.url();
                (Some(server), url)
            }
        };
        let (kafka, brokers) = match &options.brokers {
            Some(brokers) => (None, brokers.clone()),
            None => {
                on_step("embedded Kafka");
                let kafka = EmbeddedKafka::start()?;
                for topic in BUSINESS_TOPICS.iter().chain([&ORDER_TOPIC]) {
                    kafka.create_topic(topic, PARTITIONS_PER_TOPIC)?;
                }
                let brokers = kafka.brokers().to_owned();
                (Some(kafka), brokers)
            }
        };
        let split_books = match options.split_books {
            true => {
                on_step("private MariaDBs of balance and ledger");
                Some(SplitBookServers::start(dir, &options.mariadb).await?)
            }
            false => None,
        };
        on_step("channel simulators");
        let stop = CancellationToken::new();
        let sims = start_simulators(&options, &ports, &secrets_dir, &stop).await?;
        let schemas = Schemas::under(&options.database)?;
        let token = Secret::load("sidecar_token", Some(&secrets_dir))?;
        let client = StageClient::new(&ports.url(ports.core), &ports.url(ports.sidecar), &token)?;
        Ok(DrillStage {
            dir: dir.to_owned(),
            pool: sql::pool(&url, 16)?,
            split_books,
            key: Secret::load("provenance_key", Some(&secrets_dir))?,
            events: EventProducer::new(&brokers)?,
            core: None,
            sidecar: None,
            options,
            schemas,
            url,
            brokers,
            token,
            ports,
            client,
            sims,
            mariadb,
            kafka,
            stop,
        })
    }

    /// The whole stage, ready for orders.
    pub async fn up(
        dir: &Path,
        options: StageOptions,
        on_step: &(impl Fn(&str) + Sync),
    ) -> anyhow::Result<Self> {
        let mut stage = DrillStage::prepare(dir, options, on_step).await?;
        on_step("core (migrates)");
        stage.start_core().await?;
        on_step("sidecar");
        stage.start_sidecar().await?;
        stage.wait_for_fence().await?;
        Ok(stage)
    }

    pub async fn start_core(&mut self) -> anyhow::Result<()> {
        let core = self.spawn_core("core", self.ports).await?;
        self.core = Some(core);
        Ok(())
    }

    /// One more core on the same database, on ports of its own.
    pub async fn spawn_core(&self, name: &str, ports: StagePorts) -> anyhow::Result<ChildProcess> {
        let path = self.dir.join(format!("{name}.toml"));
        std::fs::write(&path, settings::core(self, name, ports))?;
        let mut core = self.spawn("sluice-core", name, &path)?;
        core.wait_ready(&ports.address(ports.core_admin), START_TIMEOUT)
            .await?;
        Ok(core)
    }

    pub async fn start_sidecar(&mut self) -> anyhow::Result<()> {
        let path = self.dir.join("sidecar.toml");
        std::fs::write(&path, settings::sidecar(self))?;
        let (sidecar, address) = (
            self.spawn("sluice-sidecar", "sidecar", &path)?,
            self.ports.address(self.ports.sidecar),
        );
        // Kept even if it is not ready in time: its first look at a large ledger is long.
        self.sidecar
            .insert(sidecar)
            .wait_ready(&address, START_TIMEOUT)
            .await
    }

    fn spawn(&self, binary: &str, name: &str, settings: &Path) -> anyhow::Result<ChildProcess> {
        let mut program =
            ProgramSpec::own(binary, &self.dir.join(format!("{name}.log")))?.arg(settings);
        for (variable, value) in &self.options.env {
            program = program.env(variable, value);
        }
        ChildProcess::spawn(program)
    }

    /// Waits until the core hears from a sidecar that sees.
    pub async fn wait_for_fence(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < START_TIMEOUT {
            if self.options.fence && self.core_metric("sluice_core_fence_stalled").await? > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            return Ok(());
        }
        bail!(
            "the core's fence has stalled for {START_TIMEOUT:?}; see {}",
            self.dir.join("sidecar.log").display()
        )
    }

    /// One number of the core's `/metrics`, labels and all; 0 if it isn't there.
    pub async fn core_metric(&self, name: &str) -> anyhow::Result<u64> {
        metric(&self.ports.address(self.ports.core_admin), name).await
    }

    pub async fn sidecar_metric(&self, name: &str) -> anyhow::Result<u64> {
        metric(&self.ports.address(self.ports.sidecar), name).await
    }

    /// Where load goes.
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

    pub async fn wait_for_status(&self, order_id: &str, status: &str) -> anyhow::Result<()> {
        self.wait_for_status_of(OrderKind::CashOut, order_id, status)
            .await
    }

    pub async fn wait_for_status_of(
        &self,
        kind: OrderKind,
        order_id: &str,
        status: &str,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let order = self.client.order_of(kind, order_id).await?;
            if order["status"] == status {
                return Ok(());
            }
            if begun.elapsed() > START_TIMEOUT {
                bail!("after {START_TIMEOUT:?} it is not {status}: {order}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until at most `max_left` orders and bookings are unfinished; returns how
    /// many are.
    pub async fn drain(&self, max_left: u64, within: Duration) -> anyhow::Result<u64> {
        let begun = Instant::now();
        loop {
            let mut conn = self.pool.get_conn().await?;
            let orders = &self.schemas.orders;
            // Ended orders may be due too: their upstreams have to hear of them.
            let sql = format!(
                "SELECT COUNT(*) FROM {orders}.orders WHERE state NOT IN ('success','failed','returned') AND due_us > 0"
            );
            let left: u64 = conn.query_first(sql).await?.unwrap_or(0);
            let sql = format!("SELECT COUNT(*) FROM {orders}.booking_intent");
            let left = left + conn.query_first::<u64, _>(sql).await?.unwrap_or(0);
            if left <= max_left || begun.elapsed() > within {
                return Ok(left);
            }
            drop(conn);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
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

async fn start_simulators(
    options: &StageOptions,
    ports: &StagePorts,
    secrets: &Path,
    stop: &CancellationToken,
) -> anyhow::Result<SimulatorServer> {
    let mut config = options.sims.clone();
    config.listen = ports.address(ports.sims);
    config.secrets_dir = Some(secrets.to_owned());
    config.callback_url = ports.url(ports.core);
    let listener = TcpListener::bind(&config.listen)
        .await
        .with_context(|| format!("{}: taken?", config.listen))?;
    let sims = SimulatorServer::load(config)?;
    let (running, stop) = (sims.clone(), stop.clone());
    tokio::spawn(async move {
        if let Err(error) = running.serve(listener, stop).await {
            tracing::error!("channel simulators: {error:#}");
        }
    });
    Ok(sims)
}

async fn metric(address: &str, name: &str) -> anyhow::Result<u64> {
    let (_, body) = crate::load::http::get(address, "/metrics")
        .await
        .with_context(|| format!("{address}/metrics"))?;
    let text = String::from_utf8_lossy(&body).into_owned();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    // Counters print as floats; only whole numbers are asked for here.
    Ok(value
        .and_then(|v| v.split('.').next()?.parse().ok())
        .unwrap_or(0))
}
