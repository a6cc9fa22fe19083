//! The loss-prevention sidecar: reads every committed change and business event,
//! evaluates rules over them, trips breakers, and tells the core what it may send.

pub mod active_rules;
pub mod audit;
pub mod backtest;
pub mod binlog;
pub mod breakers;
pub mod config;
pub mod context;
pub mod debezium;
pub mod fence;
pub mod health;
pub mod http;
pub mod kafka;
pub mod leader;
pub mod metrics;
pub mod pipeline;
pub mod recording;
pub mod reload;
pub mod retention;
pub mod rules;
mod shutdown;
pub mod state_file;
pub mod stream;
pub mod verdicts;
pub mod workflow;

use crate::active_rules::ActiveRuleSet;
use crate::config::SidecarConfig;
use crate::context::SidecarContext;
use crate::health::blind::BlindCause;
use crate::pipeline::leadership::keep_leading;
use crate::reload::RuleReloader;
use crate::rules::runtime::rule_set::RuleSet;
use crate::shutdown::{ProgramStages, shut_down};
use anyhow::Context;
use sluice_contract::keys;
use sluice_contract::listener::{BoundListener, authorization_key, reserve_descriptors};
use sluice_contract::supervisor::{PartEnd, Supervisor};
use sluice_contract::telemetry::{Readiness, install_crypto};
use sluice_contract::vault;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Runs the sidecar until `shutdown`, then checkpoints and gives up the lease.
///
/// # Errors
/// A start that fails (a taken port, a missing secret), a part that died (with its name),
/// or a part that did not end in time; it is safe to start the sidecar again.
pub async fn run(config: SidecarConfig, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    install_crypto();
    config.check()?;
    let vault = vault::open(config.vault.as_ref(), config.secrets_dir.as_deref()).await?;
    let readiness = Readiness::default();
    let (loaded, rules) = ActiveRuleSet::channel();
    let context = SidecarContext::build(config, &readiness, rules)?;
    let stop = CancellationToken::new();
    let parts = Supervisor::new(readiness.clone(), stop.clone());
    // Whoever drops this future ends all parts too.
    let _ends_with_us = stop.drop_guard();
    let stages = ProgramStages::of(&parts);
    if let Some(vault) = vault {
        stages.watching.spawn_loop("vault", vault.keep());
    }
    if let Some(keys) = context.config.kafka.producers.keys() {
        let watch = keys::watch(vec![keys.clone()], |_, _| {});
        stages.watching.spawn_loop("keys of producers", watch);
    }
    listen(&context, &stages.listening, &readiness).await?;
    watch_sources(&context, &stages.watching);
    lead(&context, &stages.leading, loaded);
    let died = tokio::select! {
        biased;
        () = shutdown => None,
        end = parts.first_end() => Some(end),
    };
    match &died {
        None => tracing::info!("shutting down"),
        Some(end) => context.health.blind.set(BlindCause::Died, end.to_string()),
    }
    let stopped = shut_down(context.closing(), stages, &readiness).await;
    outcome(died, stopped.map_err(anyhow::Error::from))
}

/// A part that died is the cause of whatever happened after it.
fn outcome(died: Option<PartEnd>, stopped: anyhow::Result<()>) -> anyhow::Result<()> {
    match died {
        Some(end) => Err(anyhow::Error::from(end)
            .context("a part of the sidecar died; start it again, it resumes at its checkpoint")),
        None => stopped.context("the sidecar did not end in order"),
    }
}

/// Starts the listener: fence, operators, metrics.
async fn listen(
    context: &SidecarContext,
    parts: &Supervisor,
    readiness: &Readiness,
) -> anyhow::Result<()> {
    let config = &context.config;
    reserve_descriptors(config.listener.max_connections)?;
    let listener = &config.listener;
    let listener = BoundListener::bind("sidecar", "listen", &config.listen, listener).await?;
    tracing::info!(address = %listener.address()?, instance = config.instance, "listening");
    let app = crate::http::router(context.http(), readiness.clone());
    listener.serve(parts, app, authorization_key());
    Ok(())
}

/// Starts the parts that look at the database servers and measure how far behind we are.
fn watch_sources(context: &SidecarContext, parts: &Supervisor) {
    for server in context.servers.iter() {
        let inspect = server.inspect(context.is_fed() && server.name.is_empty());
        let name = format!("preflight of {}", server.label());
        spawn_until_stop(parts, name, inspect);
    }
    let meter = context.lag();
    for number in meter.askable() {
        let label = context.servers[number].label();
        let name = format!("distance to {label}");
        spawn_until_stop(parts, name, meter.clone().follow(number));
    }
    spawn_until_stop(parts, "lag meter".to_owned(), meter.measure());
}

/// Starts the parts that write: the reloader, and leaderships whenever the lease is free.
fn lead(context: &SidecarContext, parts: &Supervisor, loaded: watch::Sender<Option<Arc<RuleSet>>>) {
    let stop = parts.stop_token();
    let reloader = RuleReloader::new(context.reload(stop.clone()), loaded);
    parts.spawn("rule reloader", async {
        reloader.run().await;
        Ok(())
    });
    parts.spawn(
        "leaderships",
        keep_leading(context.leadership(stop), parts.clone()),
    );
}

/// Starts work that only looks and may be dropped anywhere.
fn spawn_until_stop(
    parts: &Supervisor,
    name: String,
    work: impl Future<Output = ()> + Send + 'static,
) {
    let stop = parts.stop_token();
    parts.spawn(name, async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
        Ok(())
    });
}
