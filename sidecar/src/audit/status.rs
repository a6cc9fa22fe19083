//! Audits as others see and ask for them: reason, progress, the shared handle.

use crate::audit::runs_repo::AuditRun;
use serde::Serialize;
use sluice_contract::string_enum;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

string_enum! {
    /// Reason of a run.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum AuditReason("an audit's reason") {
        Schedule = "schedule",
        Demand = "demand",
        Gap = "gap",
    }
}

/// Progress of a run.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditProgress {
    pub run_id: String,
    pub reason: &'static str,
    pub started_us: i64,
    /// Subject that is looked at now, and the last account that was.
    pub of: &'static str,
    pub account: String,
    pub accounts: u64,
    pub rows: u64,
    pub suspects: u64,
}

/// Audits as `/status` shows them.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditStatus {
    pub running: Option<AuditProgress>,
    /// The last complete run, of whichever instance.
    pub last: Option<AuditRun>,
    /// Why the newest run did not complete.
    pub failed: Option<String>,
    /// Time from which on each ledger entry must have a seal, in µs; none: none need have one.
    pub entries_from_us: Option<i64>,
    /// Keys of entries' seals that this sidecar does not have.
    pub unknown_seal_keys: Vec<String>,
    /// Why a subject is not looked at.
    pub left_out: Option<&'static str>,
    /// A run was asked for and has not begun.
    pub asked: bool,
    /// A run waits until the stream has caught up.
    pub waits_for_stream: bool,
}

/// Shared by the runs, the schedule and the operator.
#[derive(Debug, Clone, Default)]
pub struct AuditHandle(Arc<AuditShared>);

#[derive(Debug, Default)]
struct AuditShared {
    note: Mutex<AuditStatus>,
    asked: Notify,
    /// The position from which the binlog's reader could not go on.
    lost: Mutex<Option<String>>,
}

impl AuditHandle {
    pub fn update(&self, change: impl FnOnce(&mut AuditStatus)) {
        change(&mut self.0.note.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub fn read(&self) -> AuditStatus {
        self.0
            .note
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Asks for a run after the one that is under way, if any: what was changed just
    /// now may be behind that one. Asked twice is asked once.
    pub fn ask(&self) {
        self.update(|note| note.asked = true);
        self.0.asked.notify_one();
    }

    /// The server can't send from here any more.
    pub fn lost(&self, position: &str) {
        *self.0.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(position.to_owned());
    }

    pub(super) fn is_lost(&self, position: &str) -> bool {
        self.0
            .lost
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_deref()
            == Some(position)
    }

    pub(super) fn found_again(&self) {
        *self.0.lost.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) async fn asked(&self) {
        self.0.asked.notified().await;
    }
}
