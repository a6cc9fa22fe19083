//! The loss-prevention sidecar: reads every committed change and business event,
//! evaluates rules over them, trips breakers, and tells the core what it may send.

pub mod admin;
pub mod aside;
pub mod backtest;
pub mod blind;
pub mod breakers;
pub mod change;
pub mod config;
pub mod debezium;
pub mod fence;
pub mod heard;
mod lag;
pub mod metrics;
pub mod pipeline;
pub mod recording;
pub mod reload;
pub mod rules;
pub mod snapshot;
pub mod sources;
pub mod status;
pub mod verdicts;
pub mod workflow;

use anyhow::Context;
use axum::serve::ListenerExt;
use blind::{Blind, Cause};
use config::{Config, Secrets};
use fence::Fence;
use heard::Heard;
use metrics::{Metrics, metrics};
use pipeline::commit::End;
use pipeline::session;
use recording::{Recorder, Writer};
use reload::Reloader;
use rules::RuleSet;
use sluice_contract::breaker::Point;
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;
use sluice_contract::telemetry::{Readiness, install_crypto, seconds};
use sources::gtid::Flavour;
use sources::hosts::Hosts;
use sources::servers::{self, Server};
use status::Status;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Connections for commits, operators and gauges.
const CONNECTIONS: usize = 4;
/// How often the lag is measured.
const MEASURE: Duration = Duration::from_millis(200);
/// How often open breakers are counted, in measures.
const COUNT_EVERY: u64 = 10;
/// Open fence streams are given this long to end.
const DRAIN: Duration = Duration::from_secs(2);
/// Between two tries to begin.
const AGAIN: Duration = Duration::from_secs(1);

/// What all parts share.
pub struct Parts {
    pub config: Config,
    pub schemas: Schemas,
    pub secrets: Secrets,
    /// The first server's: verdicts, breakers and the lease are there.
    pub pool: Arc<Hosts>,
    /// Every server that is read, the first one included.
    pub servers: Vec<Server>,
    pub kafka_heard: Heard,
    pub blind: Blind,
    pub fence: Fence,
    pub status: Status,
    pub audit: snapshot::Desk,
    pub metrics: &'static Metrics,
    pub rules: watch::Receiver<Option<Arc<RuleSet>>>,
    /// Keeps what the evaluator sees, if that was asked for.
    pub recorder: Option<Recorder>,
    /// Told when this process put another set in force.
    pub rules_changed: Arc<Notify>,
    pub tested: workflow::act::Tested,
    pub cancel: CancellationToken,
}

/// Runs the sidecar until `shutdown`, then checkpoints and gives up the lease.
///
/// Errors mean that it can't start (a taken port, a missing secret) or that a part
/// died; it is safe to start it again.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    install_crypto();
    config.check()?;
    let readiness = Readiness::default();
    let (rules_sender, rules) = watch::channel(None);
    let parts = Arc::new(Parts::build(config, &readiness, rules)?);
    // Whoever drops this future ends all parts too.
    let _ends_with_us = parts.cancel.clone().drop_guard();
    let server = listen(&parts, readiness).await?;
    let reloader = Reloader::new(Arc::clone(&parts), rules_sender);
    let mut background = vec![
        tokio::spawn(reloader.run()),
        tokio::spawn(measure(Arc::clone(&parts))),
    ];
    let fed = parts.config.kafka.changes.is_some();
    background.extend(
        parts
            .servers
            .iter()
            .map(|server| server.inspect(fed && server.name.is_empty())),
    );
    background.extend(
        (0..parts.servers.len())
            .map(|number| tokio::spawn(lag::follow(Arc::clone(&parts), number))),
    );
    let mut reigns = tokio::spawn(reigns(Arc::clone(&parts)));
    let ended = tokio::select! {
        () = shutdown => {
            tracing::info!("shutting down");
            parts.cancel.cancel();
            reigns.await
        }
        ended = &mut reigns => ended,
    };
    parts.cancel.cancel();
    background.iter().for_each(tokio::task::JoinHandle::abort);
    // Streams end by themselves; a client that does not read must not hold us.
    let _ = tokio::time::timeout(DRAIN, server).await;
    let _ = tokio::time::timeout(DRAIN, parts.pool.disconnect()).await;
    ended.context("the sidecar's main task panicked")?
}

impl Parts {
    fn build(
        config: Config,
        readiness: &Readiness,
        rules: watch::Receiver<Option<Arc<RuleSet>>>,
    ) -> anyhow::Result<Self> {
        let metrics = metrics()?;
        let blind = Blind::new(readiness.clone(), metrics.blind.clone());
        let status = Status::default();
        status.update(|s| s.role = "starting");
        blind.set(Cause::Rules, "loading");
        blind.set(Cause::Standby, "the lease was not asked for yet");
        let servers = servers::all(&config.mysql, CONNECTIONS, &blind)?;
        let first = servers.first().context("mysql.url names no server")?;
        Ok(Parts {
            recorder: recorder(&config, metrics),
            schemas: config.schemas()?,
            secrets: config.secrets()?,
            pool: Arc::clone(&first.hosts),
            servers,
            kafka_heard: Heard::default(),
            fence: Fence::new(blind.clone()),
            cancel: CancellationToken::new(),
            status,
            audit: snapshot::Desk::default(),
            blind,
            metrics,
            rules,
            rules_changed: Arc::default(),
            tested: Default::default(),
            config,
        })
    }
}

/// A folder that can't be written to must not keep a sidecar from guarding money:
/// it is told, and counts as not recording.
fn recorder(config: &Config, metrics: &'static Metrics) -> Option<Recorder> {
    let record = config.recording.as_ref()?;
    metrics.recording_wanted.set(1);
    let opened = Writer::open(&record.dir, record.max_mb)
        .and_then(|writer| Recorder::start(writer, metrics));
    opened
        .inspect_err(|error| tracing::error!("nothing is recorded: {error:#}; mend it and restart"))
        .ok()
}

async fn listen(
    parts: &Arc<Parts>,
    readiness: Readiness,
) -> anyhow::Result<JoinHandle<std::io::Result<()>>> {
    let listener = tokio::net::TcpListener::bind(parts.config.listener()?).await;
    let listener = listener.with_context(|| {
        format!(
            "listen = {}: can't bind; is another sidecar running?",
            parts.config.listen
        )
    })?;
    tracing::info!(address = %listener.local_addr()?, instance = parts.config.instance, "listening");
    // A fence line is a few bytes that must leave at once.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let app = admin::router(Arc::clone(parts), readiness);
    let stopped = parts.cancel.clone().cancelled_owned();
    Ok(tokio::spawn(
        axum::serve(listener, app)
            .with_graceful_shutdown(stopped)
            .into_future(),
    ))
}

/// One reign after the other, until cancelled or until a part dies.
async fn reigns(parts: Arc<Parts>) -> anyhow::Result<()> {
    let mut rules = parts.rules.clone();
    loop {
        let ready = async {
            let rules = rules.wait_for(Option::is_some).await.ok()?.clone()?;
            let mut flavours: Vec<Flavour> = Vec::new();
            for server in &parts.servers {
                flavours.push(server.fit().await?);
            }
            Some((rules, flavours))
        };
        let ready = tokio::select! {
            () = parts.cancel.cancelled() => None,
            ready = ready => ready,
        };
        let Some((rules, flavours)) = ready else {
            return Ok(());
        };
        let Some(epoch) = session::lease(&parts).await else {
            return Ok(());
        };
        match session::reign(&parts, epoch, &flavours, rules).await {
            Ok(End::Cancelled) => {
                session::abdicate(&parts, epoch).await;
                return Ok(());
            }
            Ok(End::Died(error)) => {
                parts.blind.set(Cause::Died, format!("{error:#}"));
                session::abdicate(&parts, epoch).await;
                return Err(error.context(
                    "a part of the sidecar died; start it again, it resumes at its checkpoint",
                ));
            }
            // The lease there is our own, as it was copied: given up, it is free at once.
            Ok(End::Moved) => session::abdicate(&parts, epoch).await,
            // The next reign begins with the gap, if nobody else does.
            Ok(End::Lost) => {
                session::abdicate(&parts, epoch).await;
                tokio::time::sleep(AGAIN).await;
            }
            Ok(End::Deposed) => tracing::warn!(epoch, "deposed: another sidecar took the lease"),
            Err(error) => {
                parts.blind.set(
                    Cause::Binlog,
                    format!("can't begin to read, still trying: {error:#}"),
                );
                session::abdicate(&parts, epoch).await;
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// Keeps the gauges that nobody else moves: lag grows when nothing comes back.
async fn measure(parts: Arc<Parts>) {
    let mut tick = tokio::time::interval(MEASURE);
    let mut count = 0_u64;
    loop {
        tick.tick().await;
        lag::show(&parts);
        let note = parts.status.read();
        if note.heartbeat_us > 0 {
            let lag_us = now_us().saturating_sub(note.heartbeat_us).max(0);
            parts.metrics.lag_seconds.set(seconds(lag_us));
            let late = note.role == "active"
                && lag_us > i64::try_from(parts.config.max_lag_ms * 1_000).unwrap_or(i64::MAX);
            if late {
                parts
                    .blind
                    .set(Cause::Lag, format!("{} s behind", lag_us / 1_000_000));
            } else {
                parts.blind.clear(Cause::Lag);
            }
        }
        if count.is_multiple_of(COUNT_EVERY) {
            count_breakers(&parts).await;
        }
        count += 1;
    }
}

async fn count_breakers(parts: &Parts) {
    let counted = async {
        let mut conn = parts.pool.get_conn().await?;
        breakers::repo::open_counts(&mut conn, &parts.schemas).await
    };
    // The database being away is told elsewhere; the gauge keeps its last value.
    let Ok(Ok(counts)) = tokio::time::timeout(DRAIN, counted).await else {
        return;
    };
    for point in [Point::Refund, Point::Settlement, Point::CashOut].map(Point::as_str) {
        let open = counts
            .iter()
            .find(|(name, _)| name == point)
            .map_or(0, |(_, open)| *open);
        parts
            .metrics
            .breakers_open
            .with_label_values(&[point])
            .set(open);
    }
}
