//! Capabilities of a leadership: what reads, evaluates and commits may use.

use crate::active_rules::ActiveRuleSet;
use crate::audit::audit_context::AuditContext;
use crate::audit::settings::LostPositionPolicy;
use crate::binlog::servers::SourceServer;
use crate::fence::FencePublisher;
use crate::health::Health;
use crate::health::last_activity::LastActivity;
use crate::kafka::settings::KafkaSourceSettings;
use crate::leader::guard_db::GuardDb;
use crate::recording::Recorder;
use crate::retention::settings::RetentionSettings;
use crate::state_file::settings::StateSettings;
use crate::stream::position::StartPosition;
use crate::workflow::settings::RuleCostSettings;
use sluice_contract::keys::SigningKeys;
use std::sync::Arc;
use std::time::Duration;

/// Handles that leaderships work with; clones share them.
#[derive(Clone)]
pub struct LeadershipContext {
    pub db: GuardDb,
    /// Every server that is read, the one with orders and guard first.
    pub servers: Arc<[SourceServer]>,
    pub settings: LeadershipSettings,
    /// Signs and verifies the file of the rules' memory.
    pub provenance_key: SigningKeys,
    pub fence: FencePublisher,
    pub health: Health,
    pub kafka_activity: LastActivity,
    pub rules: ActiveRuleSet,
    /// Keeps what the evaluator sees, if that was asked for.
    pub recorder: Option<Arc<Recorder>>,
    pub audit: AuditContext,
}

/// Settings of a leadership, from several tables of the file.
#[derive(Debug, Clone)]
pub struct LeadershipSettings {
    pub kafka: KafkaSourceSettings,
    pub start: StartPosition,
    pub on_lost_position: LostPositionPolicy,
    /// Threads that evaluate rules.
    pub workers: usize,
    /// Between two checkpoints, which are heartbeats too.
    pub checkpoint_interval: Duration,
    /// `mysql.server_id`.
    pub server_id: u32,
    /// Costs of rules.
    pub rules: RuleCostSettings,
    /// `mysql.split_books`.
    pub split_books: bool,
    pub retention: RetentionSettings,
    /// Memory of rules and its file.
    pub state: StateSettings,
}
