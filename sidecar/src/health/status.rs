//! The report behind `/status`: small and shared, written by the committer.

use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Heartbeats remembered that did not come back: more than an hour of them. Past it
/// newer ones are not; the oldest is what counts.
const MAX_HEARTBEATS_IN_FLIGHT: usize = 8192;
/// A stream whose heartbeats come back within this, in µs, has caught up.
const MAX_CAUGHT_UP_LAG_US: i64 = 1_000_000;

#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    /// `starting`, `standby`, `active` or `shutting down`.
    pub role: &'static str,
    pub epoch: i64,
    /// Signatures of transactions that are believed: `pairs`, `macs`, or `pairs or macs`.
    pub transactions_by: &'static str,
    pub binlog: String,
    /// Positions up to which each binlog is evaluated, by its name in the checkpoint.
    pub positions: BTreeMap<String, String>,
    pub kafka: Option<String>,
    /// Kafka's offsets as they were last committed with the verdicts.
    pub kafka_committed: Option<String>,
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
    /// Rules in shadow: what they miss.
    pub shadow: ShadowStatus,
    /// Origin of what rules remember in this leadership.
    pub memory: MemoryStatus,
    /// Own heartbeats that did not come back yet, oldest first.
    #[serde(skip)]
    sent: VecDeque<i64>,
    /// A heartbeat of this leadership came back.
    #[serde(skip)]
    has_caught_up: bool,
}

/// Begin of a leadership: the written state, or the binlog read again.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemoryStatus {
    /// `state` or `binlog`; empty before the first leadership.
    pub from: &'static str,
    /// Why the written state was not gone on from.
    pub refused: Option<String>,
    /// Position from which the first server is read.
    pub position: String,
    /// Time of the state, in µs; 0 without.
    pub frozen_us: i64,
    /// Time by which our clock is ahead of the one that led before, in µs.
    pub clock_lead_us: i64,
    /// Rules that began anew beside it.
    pub anew: Vec<String>,
    /// Row changes read again up to the checkpoint.
    pub replayed_rows: u64,
    /// Time from the lease to the checkpoint's position, in µs; 0 until then.
    pub replayed_in_us: i64,
    /// The lease was taken then, in µs.
    pub begun_us: i64,
}

/// State of the rules in shadow, which are evaluated when there is time for them.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShadowStatus {
    /// The last time that inputs were lost to all of them; without an end while it lasts.
    pub gap_since_us: Option<i64>,
    pub gap_until_us: Option<i64>,
    /// Rules that sleep past their processor budget.
    pub asleep: Vec<String>,
}

impl StatusReport {
    /// A heartbeat is about to be written.
    pub fn sends(&mut self, updated_us: i64) {
        if self.sent.len() < MAX_HEARTBEATS_IN_FLIGHT {
            self.sent.push_back(updated_us);
        }
    }

    /// One came back, and with it every older one.
    pub fn came_back(&mut self, updated_us: i64) {
        (self.heartbeat_us, self.has_caught_up) = (updated_us, true);
        while self.sent.front().is_some_and(|sent| *sent <= updated_us) {
            self.sent.pop_front();
        }
    }

    /// When the oldest was written that did not come back.
    pub fn oldest_sent_us(&self) -> Option<i64> {
        self.sent.front().copied()
    }

    /// Whether the stream is still behind what was committed a moment ago.
    pub fn is_behind(&self, now_us: i64) -> bool {
        let is_late = |sent: i64| now_us.saturating_sub(sent) > MAX_CAUGHT_UP_LAG_US;
        !self.has_caught_up || self.oldest_sent_us().is_some_and(is_late)
    }

    /// Begins a leadership: lag counts from here until its first heartbeat comes back.
    pub fn leads(&mut self, epoch: i64, now_us: i64) {
        (self.role, self.epoch, self.heartbeat_us) = ("active", epoch, now_us);
        self.sent.clear();
        self.has_caught_up = false;
        self.shadow = ShadowStatus::default();
        self.memory = MemoryStatus {
            begun_us: now_us,
            ..MemoryStatus::default()
        };
    }
}

#[derive(Debug, Clone, Default)]
pub struct SidecarStatus(Arc<Mutex<StatusReport>>);

impl SidecarStatus {
    pub fn update(&self, change: impl FnOnce(&mut StatusReport)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub fn read(&self) -> StatusReport {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_behind_until_its_heartbeats_come_back_in_time() {
        let mut report = StatusReport::default();
        report.leads(1, 1_000_000);
        assert!(report.is_behind(1_000_001), "none was sent yet");
        report.sends(2_000_000);
        assert!(report.is_behind(2_000_001), "none came back yet");
        report.came_back(2_000_000);
        assert!(!report.is_behind(9_000_000), "nothing is on its way");
        report.sends(9_000_000);
        assert!(!report.is_behind(9_900_000));
        assert!(report.is_behind(10_000_001), "one is late");
        report.leads(2, 11_000_000);
        assert!(
            report.is_behind(11_000_000),
            "another leadership reads anew"
        );
    }
}
