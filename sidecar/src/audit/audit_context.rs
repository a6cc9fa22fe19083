//! Capabilities of an audit: what a run over the data at rest may use.

use crate::active_rules::ActiveRuleSet;
use crate::audit::AuditHandle;
use crate::audit::settings::AuditSettings;
use crate::binlog::servers::SourceServer;
use crate::health::Health;
use crate::leader::guard_db::GuardDb;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Handles that audits work with; clones share them.
#[derive(Clone)]
pub struct AuditContext {
    pub db: GuardDb,
    pub settings: AuditSettings,
    /// Every server that is read; those after the first hold books of their own.
    pub servers: Arc<[SourceServer]>,
    /// `mysql.split_books`.
    pub split_books: bool,
    /// `rules.budget_stop_minutes`, in µs.
    pub budget_stop_us: i64,
    /// `mysql.server_id`.
    pub server_id: u32,
    pub handle: AuditHandle,
    pub health: Health,
    pub rules: ActiveRuleSet,
    /// Cancelled when the program ends.
    pub stop: CancellationToken,
}
