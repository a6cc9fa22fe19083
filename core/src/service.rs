//! Puts the core together, in dependency order, and runs it until told to stop.

use crate::accept::Acceptor;
use crate::api::{self, Api};
use crate::channels::Client;
use crate::config::{Config, Secrets};
use crate::dispatch::{Dispatcher, ReadyQueue};
use crate::guard::fence::Fence;
use crate::metrics::METRICS;
use crate::outcome::{Outcomes, Waits};
use crate::recovery::Recovery;
use crate::relay::{Relay, producer};
use crate::schema;
use anyhow::Context;
use sluice_contract::{keys, sql, telemetry};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Connections of everything but the accept lanes, which own theirs.
const POOL: usize = 24;
/// How long open requests may take to end after the stop signal.
const DRAIN: Duration = Duration::from_secs(10);

/// Runs until `stop` is cancelled, then drains open requests.
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    telemetry::install_crypto();
    let secrets = config.secrets()?;
    let schemas = config.schemas()?;
    let public = bind("listen", &config.listen).await?;
    let admin = bind("admin", &config.admin).await?;
    let readiness = telemetry::Readiness::default();
    readiness.set("database", Some("migrations are running".into()));
    let routes = telemetry::router(readiness.clone());
    let admin_stop = stop.clone().cancelled_owned();
    tokio::spawn(async move { axum::serve(admin, routes).with_graceful_shutdown(admin_stop).await });

    migrate_when_reachable(&config, &schemas, &readiness, &stop).await?;
    let options = sql::options(&config.mysql.url)?.db_name(Some(schemas.orders.clone()));
    let pool = sql::pool_of(options, POOL)?;
    let fence = Fence::start(&config.fence, &config.name, &schemas, secrets.sidecar.clone())?;
    let ready = ReadyQueue::new(config.dispatch.queue);
    let channels = clients(&config, &secrets, &ready)?;
    let key = &secrets.provenance;
    let waits = Waits {
        first_query_us: config.recovery.query_first_ms as i64 * 1_000,
        callback_us: config.recovery.callback_wait_ms as i64 * 1_000,
    };
    let outcomes = Outcomes::start(&pool, &schemas, key, waits, &ready);
    let acceptor = Acceptor::start(&config.accept, &config.mysql.url, &schemas, key, &ready);
    let api = Arc::new(Api {
        acceptor,
        outcomes: outcomes.clone(),
        pool: pool.clone(),
        schemas: schemas.clone(),
        provenance: key.clone(),
        fence: fence.clone(),
        channels: channels.clone(),
        clients: config.clients.iter().cloned().zip(secrets.clients.iter().cloned()).collect(),
        default_currency: config.default_currency.parse()?,
        body_limit: config.accept.body_limit,
    });
    Recovery {
        config: config.recovery.clone(),
        pool: pool.clone(),
        schemas: schemas.clone(),
        key: key.clone(),
        channels: channels.clone(),
        outcomes: outcomes.clone(),
    }
    .start();
    let owner = format!("{}-{:08x}", config.name, rand::random::<u32>());
    let kafka = (!config.kafka.brokers.is_empty()).then(|| producer(&config.kafka.brokers)).transpose()?;
    Relay { pool: pool.clone(), schemas: schemas.clone(), owner, producer: kafka, held_until_us: 0 }.start();
    if config.dispatch.enabled {
        Dispatcher {
            config: config.dispatch.clone(),
            pool,
            schemas,
            key: key.clone(),
            fence: fence.clone(),
            channels,
            outcomes,
            ready,
        }
        .start();
    }
    tokio::spawn(watch_fence(fence));
    tracing::info!(listen = %config.listen, admin = %config.admin, "core is up");
    serve(public, api, stop).await
}

/// The channels' clients, in the order of preference of the settings.
fn clients(config: &Config, secrets: &Secrets, ready: &ReadyQueue) -> anyhow::Result<Arc<[Client]>> {
    let pairs = config.channels.iter().zip(secrets.channels.iter().cloned());
    let clients: Result<Vec<Client>, _> = pairs.map(|(channel, keys)| Client::new(channel, keys, ready)).collect();
    tokio::spawn(keys::watch(secrets.channels.clone(), |secret, usable| {
        METRICS.secret_unusable.with_label_values(&[secret]).set((!usable).into());
    }));
    Ok(clients?.into())
}

async fn bind(name: &str, address: &str) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("{name} = {address}: can't listen there; is the port taken?"))
}

async fn serve(public: TcpListener, api: Arc<Api>, stop: CancellationToken) -> anyhow::Result<()> {
    let listener = axum::serve::ListenerExt::tap_io(public, |stream| {
        // Answers are one small write: don't wait for more. Failing costs speed only.
        let _ = stream.set_nodelay(true);
    });
    let serve = axum::serve(listener, api::router(api)).with_graceful_shutdown(stop.clone().cancelled_owned());
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        done = serve.into_future() => done.context("HTTP server")?,
        () = drained => tracing::warn!("some requests were still open after {DRAIN:?}"),
    }
    tracing::info!("core has stopped");
    Ok(())
}

async fn migrate_when_reachable(
    config: &Config,
    schemas: &sluice_contract::schema::Schemas,
    readiness: &telemetry::Readiness,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let Err(error) = schema::migrate(&config.mysql.url, schemas).await else { break };
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
async fn watch_fence(fence: Fence) {
    loop {
        crate::metrics::METRICS.fence_stalled.set(fence.stalled().is_some().into());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
