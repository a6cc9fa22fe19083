//! Checks of data at rest: on a schedule, when asked, and after a stretch of the
//! binlog that could not be read. They find what `sql_log_bin=0` hid, and what is
//! older than the sidecar.
//!
//! Read in chunks of accounts, each in one consistent snapshot → judged by rules →
//! what is suspect is read once more in a later snapshot → what is still wrong is
//! committed: verdict, breakers and "it stands" in one transaction under the lease.
//! Only the holder of the lease runs one, and one at a time; a run that ends half-way
//! starts over.

pub mod audit_context;
pub mod commit;
pub mod confirm;
pub mod gap;
pub mod pace;
pub mod read;
pub mod repo;
pub mod run;
pub mod schedule;
pub mod settings;
pub mod sql;

use crate::audit::repo::AuditRun;
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Why a run takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditReason {
    Schedule,
    Demand,
    Gap,
}

impl AuditReason {
    pub fn as_str(self) -> &'static str {
        match self {
            AuditReason::Schedule => "schedule",
            AuditReason::Demand => "demand",
            AuditReason::Gap => "gap",
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditProgress {
    pub run_id: String,
    pub reason: &'static str,
    pub started_us: i64,
    /// What is looked at now, and the last account that was.
    pub of: &'static str,
    pub account: String,
    pub accounts: u64,
    pub rows: u64,
    pub suspects: u64,
}

/// What `/status` shows.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditStatus {
    pub running: Option<AuditProgress>,
    /// The last complete run, of whichever instance.
    pub last: Option<AuditRun>,
    /// Why the newest run did not complete.
    pub failed: Option<String>,
    /// A run was asked for and has not begun.
    pub asked: bool,
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

    fn is_lost(&self, position: &str) -> bool {
        self.0
            .lost
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_deref()
            == Some(position)
    }

    fn found_again(&self) {
        *self.0.lost.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn asked(&self) {
        self.0.asked.notified().await;
    }
}
