//! The meter of a replay: what a leadership reads again, up to its checkpoint.

use crate::health::Health;
use crate::stream::batches::BinlogBatch;
use crate::stream::gtid::{Flavour, GtidSet};
use sluice_contract::clock::now_us;

/// Counts row changes of the first server until its committed position is reached.
pub struct ReplayMeter {
    flavour: Flavour,
    committed: String,
    until: Option<GtidSet>,
    rows: u64,
    health: Health,
}

impl ReplayMeter {
    /// A meter up to `committed`, the checkpoint's position.
    pub fn new(flavour: Flavour, committed: &str, health: Health) -> ReplayMeter {
        health.metrics.state.replayed_rows.set(0);
        ReplayMeter {
            flavour,
            committed: committed.to_owned(),
            until: GtidSet::parse(flavour, committed).ok(),
            rows: 0,
            health,
        }
    }

    /// Counts a batch; returns whether everything was read again.
    pub fn read(&mut self, batch: &BinlogBatch) -> bool {
        self.rows += batch.changes as u64;
        let reached = GtidSet::parse(self.flavour, &batch.position);
        let is_over = batch.position == self.committed
            || match (reached, &self.until) {
                (Ok(reached), Some(until)) => reached.lacks(until) == 0,
                _ => true,
            };
        let rows = i64::try_from(self.rows).unwrap_or(i64::MAX);
        self.health.metrics.state.replayed_rows.set(rows);
        self.health.status.update(|s| {
            s.memory.replayed_rows = self.rows;
            if is_over {
                s.memory.replayed_in_us = now_us().saturating_sub(s.memory.begun_us).max(1);
            }
        });
        if is_over {
            tracing::info!(rows = self.rows, "read again up to the checkpoint");
        }
        is_over
    }
}
