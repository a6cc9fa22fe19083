//! The context that the composition root builds once, and hands out in parts: below it
//! nobody sees more than the handles of its own work.

use crate::active_rules::ActiveRuleSet;
use crate::audit::AuditHandle;
use crate::audit::audit_context::AuditContext;
use crate::binlog::servers::{self, SourceServer};
use crate::breakers::seal::BreakerSeal;
use crate::config::{SidecarConfig, SidecarSecrets};
use crate::fence::FencePublisher;
use crate::health::Health;
use crate::health::blind::{Blind, BlindCause};
use crate::health::last_activity::LastActivity;
use crate::health::status::SidecarStatus;
use crate::http::state::{HttpState, OperatorAuth};
use crate::leader::guard_db::GuardDb;
use crate::leader::local_checkpoint::LocalCheckpoint;
use crate::metrics::SidecarMetrics;
use crate::pipeline::lag::LagMeter;
use crate::pipeline::leadership::{LeadershipContext, LeadershipSettings};
use crate::recording::{Recorder, RecordingWriter};
use crate::reload::ReloadContext;
use crate::shutdown::ClosingHandles;
use crate::workflow::operators::People;
use crate::workflow::promotion::{CaseResultCache, PromotionContext};
use anyhow::Context;
use sluice_contract::telemetry::Readiness;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Connections for commits, what shadow found, operators and gauges.
const POOL_CONNECTIONS: usize = 5;

/// Handles that the program's parts share.
pub struct SidecarContext {
    pub config: SidecarConfig,
    secrets: SidecarSecrets,
    people: People,
    /// The first server's guard schema: verdicts, breakers and the lease are there.
    db: GuardDb,
    /// Every server that is read, the first one included.
    pub servers: Arc<[SourceServer]>,
    kafka_activity: LastActivity,
    pub health: Health,
    fence: FencePublisher,
    audit: AuditHandle,
    rules: ActiveRuleSet,
    /// Keeps what the evaluator sees, if that was asked for.
    recorder: Option<Arc<Recorder>>,
    tested: Arc<CaseResultCache>,
}

impl SidecarContext {
    /// Builds it from the settings.
    ///
    /// # Errors
    /// A missing secret or a wrong setting.
    pub(crate) fn build(
        mut config: SidecarConfig,
        readiness: &Readiness,
        rules: ActiveRuleSet,
    ) -> anyhow::Result<Self> {
        config.authenticate_kafka()?;
        let metrics = crate::metrics::metrics()?;
        let blind = Blind::new(readiness.clone(), metrics.blind.clone());
        let status = SidecarStatus::default();
        status.update(|s| s.role = "starting");
        blind.set(BlindCause::Rules, "loading");
        blind.set(BlindCause::Standby, "the lease was not asked for yet");
        let servers = servers::all(&config.mysql, POOL_CONNECTIONS, &blind)?;
        let first = servers.first().context("mysql.url names no server")?;
        let secrets = config.secrets()?;
        let accepts_macs = secrets.transaction_keys.accepts_macs();
        status.update(|s| s.transactions_by = secrets.transaction_keys.accepted());
        metrics.transaction_macs.set(i64::from(accepts_macs));
        if accepts_macs {
            tracing::warn!(
                "transactions are believed that whoever has this sidecar's key can sign: set public keys, and \
                 accept_transaction_macs only while cores without a pair run (docs/SECURITY.md)"
            );
        }
        let people = People::among(config.secrets_dir.as_deref());
        config.check_owners(&secrets, people.tokens())?;
        let seal = BreakerSeal::new(secrets.provenance_key.clone()).verifying(
            secrets.transaction_keys.clone(),
            &secrets.provenance_retired,
        );
        Ok(SidecarContext {
            recorder: open_recorder(&config, metrics).map(Arc::new),
            db: GuardDb {
                hosts: Arc::clone(&first.hosts),
                schemas: config.schemas()?,
                owner: config.instance.as_str().into(),
                local: LocalCheckpoint::new(config.state.dir.clone(), seal.rows().clone()),
                seal: seal.clone(),
            },
            secrets,
            people,
            servers: servers.into(),
            kafka_activity: LastActivity::default(),
            fence: FencePublisher::new(blind.clone(), seal),
            health: Health {
                blind,
                status,
                metrics,
            },
            audit: AuditHandle::default(),
            rules,
            tested: Arc::default(),
            config,
        })
    }

    /// Whether the first server's changes come through a feed.
    pub(crate) fn is_fed(&self) -> bool {
        self.config.kafka.changes.is_some()
    }

    /// Hands out the leaderships' handles; `stop` ends them.
    pub(crate) fn leadership(&self, stop: CancellationToken) -> LeadershipContext {
        let config = &self.config;
        LeadershipContext {
            db: self.db.clone(),
            servers: Arc::clone(&self.servers),
            settings: LeadershipSettings {
                kafka: config.kafka.clone(),
                start: config.start,
                on_lost_position: config.on_lost_position,
                workers: config.workers,
                checkpoint_interval: Duration::from_millis(config.checkpoint_interval_ms),
                server_id: config.mysql.server_id,
                rules: config.rules,
                split_books: config.mysql.split_books,
                retention: config.retention.clone(),
                state: config.state.clone(),
            },
            provenance_key: self.secrets.provenance_key.clone(),
            fence: self.fence.clone(),
            health: self.health.clone(),
            kafka_activity: self.kafka_activity.clone(),
            rules: self.rules.clone(),
            recorder: self.recorder.clone(),
            audit: AuditContext {
                db: self.db.clone(),
                settings: config.audit.clone(),
                servers: Arc::clone(&self.servers),
                split_books: config.mysql.split_books,
                budget_stop_us: config.rules.budget_stop_us(),
                server_id: config.mysql.server_id,
                handle: self.audit.clone(),
                health: self.health.clone(),
                rules: self.rules.clone(),
                stop,
            },
        }
    }

    /// Hands out the reloader's handles.
    pub(crate) fn reload(&self, stop: CancellationToken) -> ReloadContext {
        ReloadContext {
            db: self.db.clone(),
            health: self.health.clone(),
            rules_dir: self.config.rules_dir.clone(),
            mysql: self.config.mysql.clone(),
            transaction_keys: self.secrets.transaction_keys.clone(),
            memory_bytes: self.config.state.memory_bytes(),
            changed: Arc::clone(&self.rules.changed),
            stop,
        }
    }

    /// Hands out the meter of the lag.
    pub(crate) fn lag(&self) -> LagMeter {
        let with_kafka = !self.config.kafka.brokers.is_empty();
        LagMeter {
            db: self.db.clone(),
            health: self.health.clone(),
            servers: Arc::clone(&self.servers),
            kafka_activity: with_kafka.then(|| self.kafka_activity.clone()),
            is_fed: self.is_fed(),
            max_lag_us: i64::try_from(self.config.max_lag_ms * 1_000).unwrap_or(i64::MAX),
        }
    }

    /// Hands out what is closed at the end; nothing else is left.
    pub(crate) fn closing(self) -> ClosingHandles {
        ClosingHandles {
            db: self.db,
            status: self.health.status,
            fence: self.fence,
            servers: self.servers,
            recorder: self.recorder,
        }
    }

    /// Hands out the listener's handles.
    pub(crate) fn http(&self) -> HttpState {
        HttpState {
            db: self.db.clone(),
            auth: OperatorAuth {
                people: self.people.clone(),
                sidecar_token: self.secrets.sidecar_token.clone(),
                read_token: self.secrets.read_token.clone(),
            },
            fence: self.fence.clone(),
            health: self.health.clone(),
            audit: self.audit.clone(),
            promotion: PromotionContext {
                db: self.db.clone(),
                tested: Arc::clone(&self.tested),
                rules: self.rules.clone(),
                transaction_keys: self.secrets.transaction_keys.clone(),
                soak_us: self.config.rules.soak_us(),
                suppress: self.config.suppress,
            },
        }
    }
}

/// Opens the recording. A folder that can't be written to must not keep a sidecar from
/// guarding money: it is logged, and counts as not recording.
fn open_recorder(config: &SidecarConfig, metrics: &'static SidecarMetrics) -> Option<Recorder> {
    let record = config.recording.as_ref()?;
    metrics.recording.wanted.set(1);
    let opened = RecordingWriter::open(&record.dir, record.max_mb)
        .and_then(|writer| Recorder::start(writer, metrics));
    opened
        .inspect_err(|error| tracing::error!("nothing is recorded: {error:#}; mend it and restart"))
        .ok()
}
