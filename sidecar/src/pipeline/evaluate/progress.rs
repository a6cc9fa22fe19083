//! Progress of every source: how far it is evaluated, and from where a restart reads it.

use crate::pipeline::resume_points::ResumePoints;
use crate::pipeline::server_positions::ServerPositions;
use crate::rules::RuleWorkers;
use crate::state_file::StatePositions;
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
    /// Kafka is evaluated up to here.
    offsets: Option<Arc<PartitionOffsets>>,
    replay_us: i64,
}

/// Positions at which a state was written, beside those of a start.
pub struct RestoredPositions {
    /// Begin of a reading without the state, by server.
    pub replay: Vec<String>,
    /// As `positions` and `replay`, of Kafka.
    pub kafka: Option<(PartitionOffsets, PartitionOffsets)>,
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
            offsets: None,
            replay_us: 0,
        })
    }

    /// Goes on from a written state: what lies before its positions may be needed, should the
    /// next start have to do without.
    pub fn restored(mut self, restored: RestoredPositions) -> anyhow::Result<Self> {
        let first = ServerPositions::parse(&self.flavours, &self.names, &restored.replay)?;
        self.binlog = ResumePoints::new(first);
        let reached = ServerPositions::parse(&self.flavours, &self.names, &self.positions)?;
        self.binlog.reached(now_us(), || Some(reached));
        if let Some((reached, replay)) = restored.kafka {
            let (reached, mut points) = (Arc::new(reached), ResumePoints::new(Arc::new(replay)));
            points.reached(now_us(), || Some(Arc::clone(&reached)));
            (self.kafka, self.offsets) = (Some(points), Some(reached));
        }
        Ok(self)
    }

    /// Positions of a state that is frozen now. None while they can't be gone on from: a
    /// transaction is prepared of which the rows came already.
    pub fn frozen(
        &mut self,
        sources: &[String],
        evaluator: &RuleWorkers,
    ) -> Option<StatePositions> {
        if self.prepared.iter().any(Option::is_some) || self.positions.iter().any(String::is_empty)
        {
            return None;
        }
        let replay = self.replay_now(evaluator);
        Some(StatePositions {
            sources: sources.to_vec(),
            positions: self.positions.clone(),
            replay: std::iter::once(replay.binlog).chain(replay.also).collect(),
            kafka: self.offsets.as_ref().map(|offsets| offsets.render()),
            kafka_replay: replay.kafka,
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
        self.offsets = Some(Arc::clone(offsets));
    }

    /// Whether Kafka's position is known.
    pub fn knows_kafka(&self) -> bool {
        self.offsets.is_some()
    }

    /// The positions at which a restart begins so that all that `evaluator` still needs is read
    /// again. `None` if they were worked out a moment ago.
    pub fn replay(&mut self, evaluator: &RuleWorkers) -> Option<ReplayPositions> {
        let now = now_us();
        if now.saturating_sub(self.replay_us) < RESUME_POSITION_INTERVAL_US {
            return None;
        }
        self.replay_us = now;
        Some(self.replay_now(evaluator))
    }

    fn replay_now(&mut self, evaluator: &RuleWorkers) -> ReplayPositions {
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
        ReplayPositions {
            binlog,
            also: servers.collect(),
            kafka: kafka.map(|offsets| offsets.render()),
        }
    }
}
