//! What `/status` tells: a small shared note, written by the committer.

use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// `starting`, `standby` or `active`.
    pub role: &'static str,
    pub epoch: i64,
    pub binlog: String,
    pub kafka: Option<String>,
    /// `updated_us` of the last own heartbeat that came back; 0 before the first.
    pub heartbeat_us: i64,
    /// Of the set that the last batch was evaluated with.
    pub rules_hash: String,
    /// The set that is loaded, which may be newer than the one of the last verdict.
    pub rules_version: i64,
    /// Why the folder's edits are not taken over, if they are not.
    pub rules_refused: Option<String>,
    pub pairs_open: usize,
    /// Verdicts recorded since the start.
    pub verdicts: u64,
}

#[derive(Debug, Clone, Default)]
pub struct Status(Arc<Mutex<Note>>);

impl Status {
    pub fn update(&self, change: impl FnOnce(&mut Note)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub fn read(&self) -> Note {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
