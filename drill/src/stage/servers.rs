//! Servers of a stage, private unless others are named: databases, Kafka, simulators.

use crate::channels::SimulatorServer;
use crate::load::EventProducer;
use crate::setup::{EmbeddedKafka, MariadbOptions, MariadbServer, required_tools, secrets};
use crate::stage::DrillStage;
use crate::stage::client::StageClient;
use crate::stage::databases::{self, ProgramUrls};
use crate::stage::options::StageOptions;
use crate::stage::settings::StagePorts;
use anyhow::Context;
use mysql_async::Pool;
use sluice_contract::event::{BUSINESS_TOPICS, ORDER_TOPIC};
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use sluice_contract::sql;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Partitions of each topic on the embedded Kafka.
const PARTITIONS_PER_TOPIC: i32 = 2;

/// The servers of balance and ledger, and connections to them.
pub struct SplitBookServers {
    pub balance: MariadbServer,
    pub ledger: MariadbServer,
    pub balance_pool: Pool,
    pub ledger_pool: Pool,
}

impl SplitBookServers {
    /// Starts both at once.
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
            None => StagePorts::free()?,
        };
        let (mariadb, url) = database(dir, &options, on_step).await?;
        let (kafka, brokers) = brokers(&options, on_step)?;
        let split_books = match options.split_books {
            true => {
                on_step("private MariaDBs of balance and ledger");
                Some(SplitBookServers::start(dir, &options.mariadb).await?)
            }
            false => None,
        };
        let schemas = Schemas::under(&options.database)?;
        let admin = databases::admin_urls(&url, split_books.as_ref());
        let urls = match options.own_users {
            true => {
                on_step("schemas, and a database user for each program");
                ProgramUrls::restricted(&admin, &schemas, &options.database).await?
            }
            false => ProgramUrls::as_given(&admin),
        };
        on_step("channel simulators");
        let stop = CancellationToken::new();
        let sims = start_simulators(&options, &ports, &secrets_dir, &stop).await?;
        let key = Secret::load("provenance_key", Some(&secrets_dir))?;
        let (signer, verifier) = secrets::transaction_keys(&secrets_dir, &key)?;
        let token = Secret::load("sidecar_token", Some(&secrets_dir))?;
        let client = StageClient::new(&ports.url(ports.core), &ports.url(ports.sidecar), &token)?
            .with_callbacks(&ports.url(ports.callbacks));
        Ok(DrillStage {
            dir: dir.to_owned(),
            pool: sql::pool(&url, 16)?,
            split_books,
            signer,
            verifier,
            key,
            events: EventProducer::new(&brokers)?,
            core: None,
            sidecar: None,
            options,
            schemas,
            url,
            urls,
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
}

/// The database that was named, or a private one.
async fn database(
    dir: &Path,
    options: &StageOptions,
    on_step: &(impl Fn(&str) + Sync),
) -> anyhow::Result<(Option<MariadbServer>, String)> {
    if let Some(url) = &options.mysql_url {
        return Ok((None, url.clone()));
    }
    required_tools::check()?;
    on_step("private MariaDB");
    let server = MariadbServer::start(&dir.join("mariadb"), options.mariadb.clone()).await?;
    let url = server.url();
    Ok((Some(server), url))
}

/// The brokers that were named, or an embedded Kafka with the product's topics.
fn brokers(
    options: &StageOptions,
    on_step: &(impl Fn(&str) + Sync),
) -> anyhow::Result<(Option<EmbeddedKafka>, String)> {
    if let Some(brokers) = &options.brokers {
        return Ok((None, brokers.clone()));
    }
    on_step("embedded Kafka");
    let kafka = EmbeddedKafka::start()?;
    for topic in BUSINESS_TOPICS.iter().chain([&ORDER_TOPIC]) {
        kafka.create_topic(topic, PARTITIONS_PER_TOPIC)?;
    }
    let brokers = kafka.brokers().to_owned();
    Ok((Some(kafka), brokers))
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
    config.callback_url = ports.url(ports.callbacks);
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
