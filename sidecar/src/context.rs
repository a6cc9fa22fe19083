//! The context that the composition root builds once and hands out in parts.

use crate::binlog::hosts::ServerHosts;
use crate::binlog::servers::{self, SourceServer};
use crate::config::{SidecarConfig, SidecarSecrets};
use crate::fence::FencePublisher;
use crate::health::blind::{Blind, BlindCause};
use crate::health::last_activity::LastActivity;
use crate::health::status::SidecarStatus;
use crate::metrics::SidecarMetrics;
use crate::recording::{Recorder, RecordingWriter};
use crate::rules::runtime::rule_set::RuleSet;
use crate::workflow;
use anyhow::Context;
use sluice_contract::schema::Schemas;
use sluice_contract::telemetry::Readiness;
use std::sync::Arc;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// Connections for commits, operators and gauges.
pub const POOL_CONNECTIONS: usize = 4;

/// What all parts share.
pub struct SidecarContext {
    pub config: SidecarConfig,
    pub schemas: Schemas,
    pub secrets: SidecarSecrets,
    /// The first server's: verdicts, breakers and the lease are there.
    pub pool: Arc<ServerHosts>,
    /// Every server that is read, the first one included.
    pub servers: Vec<SourceServer>,
    pub kafka_activity: LastActivity,
    pub blind: Blind,
    pub fence: FencePublisher,
    pub status: SidecarStatus,
    pub audit: crate::audit::AuditHandle,
    pub metrics: &'static SidecarMetrics,
    pub rules: watch::Receiver<Option<Arc<RuleSet>>>,
    /// Keeps what the evaluator sees, if that was asked for.
    pub recorder: Option<Recorder>,
    /// Told when this process put another set in force.
    pub rules_changed: Arc<Notify>,
    pub tested: workflow::promotion::CaseResultCache,
    pub cancel: CancellationToken,
}

impl SidecarContext {
    pub(crate) fn build(
        config: SidecarConfig,
        readiness: &Readiness,
        rules: watch::Receiver<Option<Arc<RuleSet>>>,
    ) -> anyhow::Result<Self> {
        let metrics = crate::metrics::metrics()?;
        let blind = Blind::new(readiness.clone(), metrics.blind.clone());
        let status = SidecarStatus::default();
        status.update(|s| s.role = "starting");
        blind.set(BlindCause::Rules, "loading");
        blind.set(BlindCause::Standby, "the lease was not asked for yet");
        let servers = servers::all(&config.mysql, POOL_CONNECTIONS, &blind)?;
        let first = servers.first().context("mysql.url names no server")?;
        Ok(SidecarContext {
            recorder: open_recorder(&config, metrics),
            schemas: config.schemas()?,
            secrets: config.secrets()?,
            pool: Arc::clone(&first.hosts),
            servers,
            kafka_activity: LastActivity::default(),
            fence: FencePublisher::new(blind.clone()),
            cancel: CancellationToken::new(),
            status,
            audit: crate::audit::AuditHandle::default(),
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
pub fn open_recorder(config: &SidecarConfig, metrics: &'static SidecarMetrics) -> Option<Recorder> {
    let record = config.recording.as_ref()?;
    metrics.recording_wanted.set(1);
    let opened = RecordingWriter::open(&record.dir, record.max_mb)
        .and_then(|writer| Recorder::start(writer, metrics));
    opened
        .inspect_err(|error| tracing::error!("nothing is recorded: {error:#}; mend it and restart"))
        .ok()
}
