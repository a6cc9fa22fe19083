//! Progress of every source: how far it is evaluated, and from where a restart reads it.

use crate::pipeline::resume_points::ResumePoints;
use crate::pipeline::server_positions::ServerPositions;
use crate::rules::RuleWorkers;
use crate::stream::change::SourceKind;
use crate::stream::gtid::{Flavour, GtidSet};
use crate::stream::offsets::PartitionOffsets;
use sluice_contract::clock::now_us;
use std::sync::Arc;

/// The resume position is worked out after this time.
const RESUME_POSITION_INTERVAL_US: i64 = 100_000;

/// A restart's beginning, as the checkpoint keeps it.
pub struct ReplayPositions {
    pub binlog: String,
    /// Of servers 1, 2, …
    pub also: Vec<String>,
    pub kafka: Option<String>,
}

/// Positions of all sources.
pub struct SourceProgress {
    flavours: Vec<Flavour>,
    names: Arc<[String]>,
    positions: Vec<String>,
    /// Of each server the oldest transaction that was prepared and has not ended.
    prepared: Vec<Option<Arc<str>>>,
    binlog: ResumePoints<ServerPositions>,
    kafka: Option<ResumePoints<Arc<PartitionOffsets>>>,
    replay_us: i64,
}

impl SourceProgress {
    /// Begins where this run begins to read; each list has one entry per server.
    ///
    /// # Errors
    /// A position that is none of its server's kind.
    pub fn new(
        flavours: Vec<Flavour>,
        names: Arc<[String]>,
        positions: Vec<String>,
    ) -> anyhow::Result<Self> {
        let first = ServerPositions::parse(&flavours, &names, &positions)?;
        Ok(SourceProgress {
            flavours,
            names,
            prepared: vec![None; positions.len()],
            positions,
            binlog: ResumePoints::new(first),
            kafka: None,
            replay_us: 0,
        })
    }

    /// Notes what a restart must read of server `number` again, whatever the rules need.
    pub fn needs(&mut self, number: usize, needs_from: Option<Arc<str>>) {
        if let Some(known) = self.prepared.get_mut(number) {
            *known = needs_from;
        }
    }

    /// Notes that server `number` is evaluated up to `position`; returns that parsed, if it
    /// can be.
    pub fn server_reached(&mut self, number: usize, position: &str) -> Option<GtidSet> {
        if let Some(known) = self.positions.get_mut(number) {
            position.clone_into(known);
        }
        let (flavours, names, positions) = (&self.flavours, &self.names, &self.positions);
        self.binlog.reached(now_us(), || {
            ServerPositions::parse(flavours, names, positions).ok()
        });
        // The first server's is not waited for.
        if number == 0 {
            return None;
        }
        let flavour = self.flavours.get(number)?;
        GtidSet::parse(*flavour, position).ok()
    }

    /// Notes that Kafka is evaluated up to `offsets`.
    pub fn kafka_reached(&mut self, offsets: &Arc<PartitionOffsets>) {
        let points = self
            .kafka
            .get_or_insert_with(|| ResumePoints::new(Arc::clone(offsets)));
        points.reached(now_us(), || Some(Arc::clone(offsets)));
    }

    /// The positions at which a restart begins so that all that `evaluator` still needs is read
    /// again. `None` if they were worked out a moment ago.
    pub fn replay(&mut self, evaluator: &RuleWorkers) -> Option<ReplayPositions> {
        let now = now_us();
        if now.saturating_sub(self.replay_us) < RESUME_POSITION_INTERVAL_US {
            return None;
        }
        self.replay_us = now;
        let needed = evaluator.needs_from(SourceKind::Binlog);
        let prepared = self.prepared.iter().filter_map(Option::as_deref);
        let needed: Vec<&str> = needed.as_deref().into_iter().chain(prepared).collect();
        let servers = self
            .binlog
            .before(&needed)
            .map(ServerPositions::render)
            .unwrap_or_default();
        let mut servers = servers.into_iter();
        let binlog = servers.next().unwrap_or_default();
        let needed = evaluator.needs_from(SourceKind::Kafka);
        let kafka = self
            .kafka
            .as_mut()
            .and_then(|points| points.before(&needed.as_deref().into_iter().collect::<Vec<_>>()));
        Some(ReplayPositions {
            binlog,
            also: servers.collect(),
            kafka: kafka.map(|offsets| offsets.render()),
        })
    }
}
