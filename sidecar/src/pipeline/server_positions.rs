//! Positions of several servers at one moment, as one resume point.

use crate::pipeline::resume_points::ResumePoint;
use crate::stream::gtid::{Flavour, GtidSet};
use std::sync::Arc;

/// A position of each server; the first has no name.
#[derive(Debug, Clone)]
pub struct ServerPositions {
    names: Arc<[String]>,
    sets: Arc<[GtidSet]>,
}

impl ServerPositions {
    /// Parses `positions`, one for each name.
    pub fn parse(
        flavours: &[Flavour],
        names: &Arc<[String]>,
        positions: &[String],
    ) -> anyhow::Result<Self> {
        let sets = flavours
            .iter()
            .zip(positions)
            .map(|(flavour, position)| GtidSet::parse(*flavour, position));
        Ok(ServerPositions {
            names: Arc::clone(names),
            sets: sets.collect::<Result<_, _>>()?,
        })
    }

    /// One text per server.
    pub fn render(&self) -> Vec<String> {
        self.sets.iter().map(GtidSet::render).collect()
    }
}

impl ResumePoint for ServerPositions {
    /// A transaction's position begins with its server's name, unless it is the first.
    fn contains(&self, position: &str) -> bool {
        let (name, gtid) = position.split_once('/').unwrap_or(("", position));
        let at = self.names.iter().position(|n| n == name);
        at.and_then(|at| self.sets.get(at))
            .is_some_and(|set| set.contains(gtid))
    }
}
