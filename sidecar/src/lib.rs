//! The loss-prevention sidecar: reads every committed change and business event,
//! evaluates rules over them, trips breakers, and tells the core what it may send.

pub mod backtest;
pub mod breakers;
pub mod config;
pub mod debezium;
pub mod fence;
pub mod metrics;
pub mod pipeline;
pub mod recording;
pub mod reload;
pub mod rules;
pub mod verdicts;
pub mod workflow;

pub mod audit;
pub mod binlog;
pub mod context;
pub mod health;
pub mod http;
pub mod kafka;
pub mod leader;
pub mod stream;

use crate::config::SidecarConfig;
use crate::context::SidecarContext;
use crate::health::blind::BlindCause;
use crate::pipeline::commit::LeadershipEnd;
use crate::pipeline::leadership;
use crate::reload::RuleReloader;
use crate::stream::gtid::Flavour;
use anyhow::Context;
use axum::serve::ListenerExt;
use sluice_contract::breaker::BreakerPoint;
use sluice_contract::clock::now_us;
use sluice_contract::telemetry::{Readiness, install_crypto, seconds};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often the lag is measured.
const MEASURE_INTERVAL: Duration = Duration::from_millis(200);
/// How often open breakers are counted, in measures.
const MEASURES_PER_BREAKER_COUNT: u64 = 10;
/// Open fence streams are given this long to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two tries to begin.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Runs the sidecar until `shutdown`, then checkpoints and gives up the lease.
///
/// Errors mean that it can't start (a taken port, a missing secret) or that a part
/// died; it is safe to start it again.
pub async fn run(config: SidecarConfig, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    install_crypto();
    config.check()?;
    let readiness = Readiness::default();
    let (rules_sender, rules) = watch::channel(None);
    let parts = Arc::new(SidecarContext::build(config, &readiness, rules)?);
    // Whoever drops this future ends all parts too.
    let _ends_with_us = parts.cancel.clone().drop_guard();
    let server = listen(&parts, readiness).await?;
    let reloader = RuleReloader::new(Arc::clone(&parts), rules_sender);
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
            .map(|number| tokio::spawn(crate::pipeline::lag::follow(Arc::clone(&parts), number))),
    );
    let mut keep_leading = tokio::spawn(keep_leading(Arc::clone(&parts)));
    let ended = tokio::select! {
        () = shutdown => {
            tracing::info!("shutting down");
            parts.cancel.cancel();
            keep_leading.await
        }
        ended = &mut keep_leading => ended,
    };
    parts.cancel.cancel();
    background.iter().for_each(tokio::task::JoinHandle::abort);
    // Streams end by themselves; a client that does not read must not hold us.
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, server).await;
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, parts.pool.disconnect()).await;
    ended.context("the sidecar's main task panicked")?
}

async fn listen(
    parts: &Arc<SidecarContext>,
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
    let app = crate::http::router(Arc::clone(parts), readiness);
    let stopped = parts.cancel.clone().cancelled_owned();
    Ok(tokio::spawn(
        axum::serve(listener, app)
            .with_graceful_shutdown(stopped)
            .into_future(),
    ))
}

/// One reign after the other, until cancelled or until a part dies.
async fn keep_leading(parts: Arc<SidecarContext>) -> anyhow::Result<()> {
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
        let Some(epoch) = leadership::lease(&parts).await else {
            return Ok(());
        };
        match leadership::lead(&parts, epoch, &flavours, rules).await {
            Ok(LeadershipEnd::Cancelled) => {
                leadership::step_down(&parts, epoch).await;
                return Ok(());
            }
            Ok(LeadershipEnd::Died(error)) => {
                parts.blind.set(BlindCause::Died, format!("{error:#}"));
                leadership::step_down(&parts, epoch).await;
                return Err(error.context(
                    "a part of the sidecar died; start it again, it resumes at its checkpoint",
                ));
            }
            // The lease there is our own, as it was copied: given up, it is free at once.
            Ok(LeadershipEnd::Moved) => leadership::step_down(&parts, epoch).await,
            // The next reign begins with the gap, if nobody else does.
            Ok(LeadershipEnd::PositionLost) => {
                leadership::step_down(&parts, epoch).await;
                tokio::time::sleep(RETRY_DELAY).await;
            }
            Ok(LeadershipEnd::LeaseLost) => {
                tracing::warn!(epoch, "deposed: another sidecar took the lease")
            }
            Err(error) => {
                parts.blind.set(
                    BlindCause::Binlog,
                    format!("can't begin to read, still trying: {error:#}"),
                );
                leadership::step_down(&parts, epoch).await;
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }
}

/// Keeps the gauges that nobody else moves: lag grows when nothing comes back.
async fn measure(parts: Arc<SidecarContext>) {
    let mut tick = tokio::time::interval(MEASURE_INTERVAL);
    let mut count = 0_u64;
    loop {
        tick.tick().await;
        crate::pipeline::lag::show(&parts);
        let note = parts.status.read();
        if note.heartbeat_us > 0 {
            let lag_us = now_us().saturating_sub(note.heartbeat_us).max(0);
            parts.metrics.lag_seconds.set(seconds(lag_us));
            let late = note.role == "active"
                && lag_us > i64::try_from(parts.config.max_lag_ms * 1_000).unwrap_or(i64::MAX);
            if late {
                parts
                    .blind
                    .set(BlindCause::Lag, format!("{} s behind", lag_us / 1_000_000));
            } else {
                parts.blind.clear(BlindCause::Lag);
            }
        }
        if count.is_multiple_of(MEASURES_PER_BREAKER_COUNT) {
            count_breakers(&parts).await;
        }
        count += 1;
    }
}

async fn count_breakers(parts: &SidecarContext) {
    let counted = async {
        let mut conn = parts.pool.get_conn().await?;
        breakers::repo::open_counts(&mut conn, &parts.schemas).await
    };
    // The database being away is told elsewhere; the gauge keeps its last value.
    let Ok(Ok(counts)) = tokio::time::timeout(DRAIN_TIMEOUT, counted).await else {
        return;
    };
    for point in [
        BreakerPoint::Refund,
        BreakerPoint::Settlement,
        BreakerPoint::CashOut,
    ]
    .map(BreakerPoint::as_str)
    {
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
