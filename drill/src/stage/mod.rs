//! The whole system on this machine: a private MariaDB, Kafka, the channel
//! simulators, and core and sidecar as real processes. Demo, `up`, benchmark and
//! tests all play on it.

pub mod client;
pub mod merchants;
pub mod probe;
mod settings;
pub mod traffic;

use crate::channels::{SimConfig, Simulator};
use crate::checks::{self, Invariants, Paid};
use crate::load::EventProducer;
use crate::load::request::Target;
use crate::setup::ports::free_port;
use crate::setup::{Kafka, Mariadb, MariadbOptions, Process, Program, missing, secrets};
use anyhow::{Context, bail};
use client::Client;
use mysql_async::Pool;
use mysql_async::prelude::Queryable;
use sluice_contract::event::{BUSINESS_TOPICS, ORDER_TOPIC};
use sluice_contract::order::Kind;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use sluice_contract::sql;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use settings::Ports;

/// How long a program may take until it is ready.
const START: Duration = Duration::from_secs(40);
const STOP: Duration = Duration::from_secs(15);
/// Partitions of each topic on the embedded Kafka.
const PARTITIONS: i32 = 2;

/// What the stage is to be like. `Default` is the demo's.
#[derive(Debug, Clone)]
pub struct Options {
    pub database: String,
    pub rules: PathBuf,
    pub sims: SimConfig,
    pub mariadb: MariadbOptions,
    /// Use these instead of private ones.
    pub mysql_url: Option<String>,
    /// Balance and ledger get private servers of their own.
    pub apart: bool,
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
    pub ports: Option<Ports>,
    pub fence: bool,
    pub dispatch: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            database: "sluice".into(),
            rules: PathBuf::from("rules"),
            sims: SimConfig::default(),
            mariadb: MariadbOptions::default(),
            mysql_url: None,
            apart: false,
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

impl Options {
    /// Real services named in the environment are used instead of private ones.
    pub fn from_environment(mut self) -> Self {
        let set = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
        self.mysql_url = set("SLUICE_MYSQL_URL");
        self.brokers = set("SLUICE_KAFKA_BROKERS");
        self
    }
}

/// A running stage. Dropping it stops everything it started.
pub struct Stage {
    pub dir: PathBuf,
    pub options: Options,
    pub schemas: Schemas,
    pub url: String,
    pub brokers: String,
    /// The core's provenance key: faults and repairs sign with it.
    pub key: Secret,
    pub token: Secret,
    pub ports: Ports,
    pub pool: Pool,
    /// Servers of balance and ledger, if they are apart.
    pub apart: Option<Apart>,
    pub client: Client,
    pub events: EventProducer,
    pub sims: Simulator,
    pub core: Option<Process>,
    pub sidecar: Option<Process>,
    pub mariadb: Option<Mariadb>,
    pub kafka: Option<Kafka>,
    stop: CancellationToken,
}

/// The servers of balance and ledger, and connections to them.
pub struct Apart {
    pub balance: Mariadb,
    pub ledger: Mariadb,
    pub balance_pool: Pool,
    pub ledger_pool: Pool,
}

impl Apart {
    async fn start(dir: &Path, options: &MariadbOptions) -> anyhow::Result<Self> {
        let (at_balance, at_ledger) = (dir.join("mariadb-balance"), dir.join("mariadb-ledger"));
        let (balance, ledger) = tokio::try_join!(
            Mariadb::start(&at_balance, options.clone()),
            Mariadb::start(&at_ledger, options.clone())
        )?;
        let (balance_pool, ledger_pool) =
            (sql::pool(&balance.url(), 8)?, sql::pool(&ledger.url(), 8)?);
        Ok(Apart {
            balance,
            ledger,
            balance_pool,
            ledger_pool,
        })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Stage {
    /// Starts the servers and simulators, but neither core nor sidecar. `told` is
    /// called with each step.
    pub async fn prepare(
        dir: &Path,
        options: Options,
        told: &(impl Fn(&str) + Sync),
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("can't make {}", dir.display()))?;
        // Settings files hold the database's password.
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
        let secrets_dir = secrets::create(dir)?;
        let ports = match options.ports {
            Some(ports) => ports,
            None => Ports {
                core: free_port()?,
                core_admin: free_port()?,
                sidecar: free_port()?,
                sims: free_port()?,
            },
        };
        let (mariadb, url) = match &options.mysql_url {
            Some(url) => (None, url.clone()),
            None => {
                missing::check()?;
                told("private MariaDB");
                let server = Mariadb::start(&dir.join("mariadb"), options.mariadb.clone()).await?;
                let url = server.url();
                (Some(server), url)
            }
        };
        let (kafka, brokers) = match &options.brokers {
            Some(brokers) => (None, brokers.clone()),
            None => {
                told("embedded Kafka");
                let kafka = Kafka::start()?;
                for topic in BUSINESS_TOPICS.iter().chain([&ORDER_TOPIC]) {
                    kafka.create_topic(topic, PARTITIONS)?;
                }
                let brokers = kafka.brokers().to_owned();
                (Some(kafka), brokers)
            }
        };
        let apart = match options.apart {
            true => {
                told("private MariaDBs of balance and ledger");
                Some(Apart::start(dir, &options.mariadb).await?)
            }
            false => None,
        };
        told("channel simulators");
        let stop = CancellationToken::new();
        let sims = start_simulators(&options, &ports, &secrets_dir, &stop).await?;
        let schemas = Schemas::under(&options.database)?;
        let token = Secret::load("sidecar_token", Some(&secrets_dir))?;
        let client = Client::new(&ports.url(ports.core), &ports.url(ports.sidecar), &token)?;
        Ok(Stage {
            dir: dir.to_owned(),
            pool: sql::pool(&url, 16)?,
            apart,
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
        options: Options,
        told: &(impl Fn(&str) + Sync),
    ) -> anyhow::Result<Self> {
        let mut stage = Stage::prepare(dir, options, told).await?;
        told("core (migrates)");
        stage.start_core().await?;
        told("sidecar");
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
    pub async fn spawn_core(&self, name: &str, ports: Ports) -> anyhow::Result<Process> {
        let path = self.dir.join(format!("{name}.toml"));
        std::fs::write(&path, settings::core(self, name, ports))?;
        let mut core = self.spawn("sluice-core", name, &path)?;
        core.wait_ready(&ports.address(ports.core_admin), START)
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
            .wait_ready(&address, START)
            .await
    }

    fn spawn(&self, binary: &str, name: &str, settings: &Path) -> anyhow::Result<Process> {
        let mut program =
            Program::own(binary, &self.dir.join(format!("{name}.log")))?.arg(settings);
        for (variable, value) in &self.options.env {
            program = program.env(variable, value);
        }
        Process::spawn(program)
    }

    /// Waits until the core hears from a sidecar that sees.
    pub async fn wait_for_fence(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < START {
            if self.options.fence && self.core_metric("sluice_core_fence_stalled").await? > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            return Ok(());
        }
        bail!(
            "the core's fence has stalled for {START:?}; see {}",
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
    pub fn target(&self) -> Target {
        Target::new(&self.ports.address(self.ports.core))
    }

    /// Everything that the channels really paid.
    pub fn book(&self) -> Vec<Paid> {
        let paid = |p: crate::channels::Paid| Paid {
            serial_no: p.serial_no,
            to_account: p.to_account,
            amount: p.amount,
            currency: p.currency,
            returned: p.returned,
        };
        self.sims.book().into_iter().map(paid).collect()
    }

    pub async fn invariants(&self) -> anyhow::Result<Invariants> {
        let (balance, ledger) = match &self.apart {
            Some(apart) => (&apart.balance_pool, &apart.ledger_pool),
            None => (&self.pool, &self.pool),
        };
        let servers = checks::Servers {
            orders: &self.pool,
            balance,
            ledger,
        };
        checks::invariants(servers, &self.schemas, &self.book()).await
    }

    pub async fn wait_for_status(&self, order_id: &str, status: &str) -> anyhow::Result<()> {
        self.wait_for_status_of(Kind::CashOut, order_id, status)
            .await
    }

    pub async fn wait_for_status_of(
        &self,
        kind: Kind,
        order_id: &str,
        status: &str,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let order = self.client.order_of(kind, order_id).await?;
            if order["status"] == status {
                return Ok(());
            }
            if begun.elapsed() > START {
                bail!("after {START:?} it is not {status}: {order}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until at most `most` orders and bookings are unfinished; returns how
    /// many are.
    pub async fn drain(&self, most: u64, within: Duration) -> anyhow::Result<u64> {
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
            if left <= most || begun.elapsed() > within {
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
            process.terminate(STOP).await?;
        }
        self.stop.cancel();
        self.pool.clone().disconnect().await?;
        if let Some(mut server) = self.mariadb.take() {
            server.stop().await?;
        }
        if let Some(mut apart) = self.apart.take() {
            for pool in [apart.balance_pool, apart.ledger_pool] {
                pool.disconnect().await?;
            }
            apart.balance.stop().await?;
            apart.ledger.stop().await?;
        }
        Ok(())
    }
}

async fn start_simulators(
    options: &Options,
    ports: &Ports,
    secrets: &Path,
    stop: &CancellationToken,
) -> anyhow::Result<Simulator> {
    let mut config = options.sims.clone();
    config.listen = ports.address(ports.sims);
    config.secrets_dir = Some(secrets.to_owned());
    config.callback_url = ports.url(ports.core);
    let listener = TcpListener::bind(&config.listen)
        .await
        .with_context(|| format!("{}: taken?", config.listen))?;
    let sims = Simulator::load(config)?;
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
