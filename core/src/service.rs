//! Puts the core together, in dependency order, and runs it until told to stop.

use crate::accept::Acceptor;
use crate::channels::ChannelClient;
use crate::config::{CoreConfig, CoreSecrets};
use crate::dispatch::{Dispatcher, IsolationQueue, ReadyQueue};
use crate::guard::fence::FenceClient;
use crate::http::{self, CoreApi};
use crate::intake::PaymentIntake;
use crate::metrics::METRICS;
use crate::outbox_relay::{OutboxRelay, producer};
use crate::outcome::{OutcomeDelays, OutcomeRecorder};
use crate::quarantine::OrderQuarantine;
use crate::recovery::OrderRecovery;
use crate::routing::ActiveRouting;
use crate::saga::{self, BookingSaga, SagaFollower};
use crate::schema::{self, DatabaseUrls};
use anyhow::Context;
use mysql_async::Pool;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use sluice_contract::{keys, sql, telemetry};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Connections of everything but the accept lanes, which own theirs.
const MAX_POOL_CONNECTIONS: usize = 24;
/// How long open requests may take to end after the stop signal.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs until `stop` is cancelled, then drains open requests.
pub async fn run(config: CoreConfig, stop: CancellationToken) -> anyhow::Result<()> {
    telemetry::install_crypto();
    let secrets = config.secrets()?;
    let schemas = config.schemas()?;
    let public = bind("listen", &config.listen).await?;
    let admin = bind("admin", &config.admin).await?;
    let readiness = telemetry::Readiness::default();
    readiness.set("database", Some("migrations are running".into()));
    serve_admin(admin, &readiness, &stop);

    migrate_when_reachable(&config, &schemas, &readiness, &stop).await?;
    let pools = ServicePools::connect(&config.servers(), &schemas)?;
    let pool = pools.orders.clone();
    let fence = FenceClient::start(
        &config.fence,
        &config.name,
        &schemas,
        secrets.sidecar.clone(),
    )?;
    let ready = ReadyQueue::new(config.dispatch.queue_capacity);
    let channels = channel_clients(&config, &secrets, &ready)?;
    let key = &secrets.provenance;
    let follower = start_saga(&config.servers(), &pools, &schemas, key, &ready, &readiness).await?;
    let outcomes = OutcomeRecorder::start(
        &pool,
        &schemas,
        key,
        &OutcomeDelays::of(&config),
        &ready,
        follower.as_ref(),
    );
    let quarantine = OrderQuarantine::new(&pool, &schemas, key);
    let saga = follower.map(|f| f.saga().clone());
    let acceptor = Acceptor::start(
        &config.accept,
        &config.mysql.url,
        &schemas,
        key,
        &ready,
        saga,
    );
    if config.intake.enabled && !config.kafka.brokers.is_empty() {
        PaymentIntake::start(&config.intake, &config.kafka.brokers, acceptor.clone())?;
    }
    let api = Arc::new(CoreApi {
        acceptor,
        outcomes: outcomes.clone(),
        pool: pool.clone(),
        balance: pools.balance.clone(),
        ledger: pools.ledger.clone(),
        schemas: schemas.clone(),
        provenance: key.clone(),
        fence: fence.clone(),
        channels: channels.clone(),
        clients: config
            .clients
            .iter()
            .cloned()
            .zip(secrets.clients.iter().cloned())
            .collect(),
        default_currency: config.default_currency.parse()?,
        max_body_bytes: config.accept.max_body_bytes,
    });
    OrderRecovery {
        config: config.recovery.clone(),
        pool: pool.clone(),
        schemas: schemas.clone(),
        key: key.clone(),
        fence: fence.clone(),
        channels: channels.clone(),
        outcomes: outcomes.clone(),
        quarantine: quarantine.clone(),
    }
    .start();
    outbox_relay(&config, &pool, &schemas)?.start();
    if config.dispatch.enabled {
        Dispatcher {
            config: config.dispatch.clone(),
            pool,
            schemas,
            key: key.clone(),
            fence: fence.clone(),
            routing: ActiveRouting::new(config.channels.iter().map(|c| c.id.as_str())),
            channels,
            outcomes,
            ready,
            suspects: IsolationQueue::new(quarantine),
        }
        .start();
    }
    tokio::spawn(watch_fence(fence));
    tracing::info!(listen = %config.listen, admin = %config.admin, "core is up");
    serve(public, api, stop).await
}

fn serve_admin(listener: TcpListener, readiness: &telemetry::Readiness, stop: &CancellationToken) {
    let routes = telemetry::router(readiness.clone());
    let stop = stop.clone().cancelled_owned();
    tokio::spawn(async move {
        axum::serve(listener, routes)
            .with_graceful_shutdown(stop)
            .await
    });
}

fn outbox_relay(
    config: &CoreConfig,
    pool: &Pool,
    schemas: &Schemas,
) -> anyhow::Result<OutboxRelay> {
    let owner = format!("{}-{:08x}", config.name, rand::random::<u32>());
    let producer = (!config.kafka.brokers.is_empty())
        .then(|| producer(&config.kafka.brokers))
        .transpose()?;
    Ok(OutboxRelay {
        pool: pool.clone(),
        schemas: schemas.clone(),
        owner,
        producer,
        held_until_us: 0,
    })
}

/// Connections to each service's server, at home in its schema. Together they are
/// one pool.
struct ServicePools {
    orders: Pool,
    balance: Pool,
    ledger: Pool,
}

impl ServicePools {
    fn connect(servers: &DatabaseUrls, schemas: &Schemas) -> anyhow::Result<Self> {
        let pool = |url: &str, schema: &String| {
            sql::pool_of(
                sql::options(url)?.db_name(Some(schema.clone())),
                MAX_POOL_CONNECTIONS,
            )
        };
        let orders = pool(&servers.orders, &schemas.orders)?;
        if !servers.are_split() {
            return Ok(ServicePools {
                balance: orders.clone(),
                ledger: orders.clone(),
                orders,
            });
        }
        let (balance, ledger) = (
            pool(&servers.balance, &schemas.balance)?,
            pool(&servers.ledger, &schemas.ledger)?,
        );
        Ok(ServicePools {
            orders,
            balance,
            ledger,
        })
    }
}

/// Starts the saga if balance and ledger are apart.
///
/// # Errors
/// They are together, yet bookings of a time apart are open: nobody would make them.
async fn start_saga(
    servers: &DatabaseUrls,
    pools: &ServicePools,
    schemas: &Schemas,
    key: &Secret,
    ready: &ReadyQueue,
    readiness: &telemetry::Readiness,
) -> anyhow::Result<Option<SagaFollower>> {
    if !servers.are_split() {
        let (open, _) = crate::intents::repo::open(&mut pools.orders.get_conn().await?).await?;
        anyhow::ensure!(
            open == 0,
            "{open} bookings are still open from when balance and ledger were apart: set balance.url and ledger.url as \
             before, let sluice_core_saga_open_bookings reach 0, then move the data"
        );
        return Ok(None);
    }
    let ServicePools {
        orders,
        balance,
        ledger,
    } = pools;
    let saga = BookingSaga::new(
        orders.clone(),
        balance.clone(),
        ledger.clone(),
        schemas,
        key,
        ready,
    );
    let saga = Arc::new(saga);
    saga::SagaRecovery {
        saga: saga.clone(),
        readiness: readiness.clone(),
    }
    .start();
    tracing::info!("balance and ledger are apart: bookings go through the saga");
    Ok(Some(SagaFollower::start(&saga)))
}

/// The channels' clients, in the order of preference of the settings.
fn channel_clients(
    config: &CoreConfig,
    secrets: &CoreSecrets,
    ready: &ReadyQueue,
) -> anyhow::Result<Arc<[ChannelClient]>> {
    let pairs = config.channels.iter().zip(secrets.channels.iter().cloned());
    let clients: Result<Vec<ChannelClient>, _> = pairs
        .map(|(channel, keys)| ChannelClient::new(channel, keys, ready))
        .collect();
    tokio::spawn(keys::watch(secrets.channels.clone(), |secret, usable| {
        METRICS
            .channels
            .secret_unusable
            .with_label_values(&[secret])
            .set((!usable).into());
    }));
    Ok(clients?.into())
}

async fn bind(name: &str, address: &str) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("{name} = {address}: can't listen there; is the port taken?"))
}

async fn serve(
    public: TcpListener,
    api: Arc<CoreApi>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let listener = axum::serve::ListenerExt::tap_io(public, |stream| {
        // Answers are one small write: don't wait for more. Failing costs speed only.
        let _ = stream.set_nodelay(true);
    });
    let serve = axum::serve(listener, http::router(api))
        .with_graceful_shutdown(stop.clone().cancelled_owned());
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN_TIMEOUT).await;
    };
    tokio::select! {
        done = serve.into_future() => done.context("HTTP server")?,
        () = drained => tracing::warn!("some requests were still open after {DRAIN_TIMEOUT:?}"),
    }
    tracing::info!("core has stopped");
    Ok(())
}

async fn migrate_when_reachable(
    config: &CoreConfig,
    schemas: &Schemas,
    readiness: &telemetry::Readiness,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let Err(error) = schema::migrate(&config.servers(), schemas).await else {
            break;
        };
        tracing::error!("{error:#}");
        readiness.set("database", Some(format!("{error:#}")));
        tokio::select! {
            () = stop.cancelled() => anyhow::bail!("stopped while waiting for the database"),
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
        }
    }
    readiness.set("database", None);
    Ok(())
}

/// Accepting never depends on the sidecar, so a stalled fence is told but doesn't
/// take the instance out of service.
async fn watch_fence(fence: FenceClient) {
    loop {
        crate::metrics::METRICS
            .fence_stalled
            .set(fence.stalled().is_some().into());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
