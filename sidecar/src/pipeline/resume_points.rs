//! From where a restart must read again. The evaluator names the oldest input that
//! it still needs; here the position just before it is remembered.

use crate::stream::gtid::{Flavour, GtidSet};
use crate::stream::offsets::PartitionOffsets;
use std::collections::VecDeque;
use std::sync::Arc;

/// Anchors kept at most, 200 ms apart or more: past it every other one is dropped,
/// which only means that a restart reads a little more.
const MAX_RESUME_POINTS: usize = 8192;
/// Anchors closer than this would tell nothing new.
const MIN_RESUME_POINT_DISTANCE_US: i64 = 200_000;

/// A position that a source can resume from.
pub trait ResumePoint {
    /// Whether the input at `position` lies before this resume_point.
    fn contains(&self, position: &str) -> bool;
}

/// Where each of several servers was at one moment; the first has no name.
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

impl ResumePoint for Arc<PartitionOffsets> {
    fn contains(&self, position: &str) -> bool {
        PartitionOffsets::contains(self, position)
    }
}

/// Anchors of one source, oldest first.
pub struct ResumePoints<A> {
    resume_points: VecDeque<A>,
    last_us: i64,
}

impl<A: ResumePoint> ResumePoints<A> {
    /// `first` is where this run began to read.
    pub fn new(first: A) -> Self {
        ResumePoints {
            resume_points: VecDeque::from([first]),
            last_us: 0,
        }
    }

    /// Remembers a position reached, unless the last one is too close.
    pub fn reached(&mut self, now_us: i64, resume_point: impl FnOnce() -> Option<A>) {
        if now_us.saturating_sub(self.last_us) < MIN_RESUME_POINT_DISTANCE_US {
            return;
        }
        let Some(resume_point) = resume_point() else {
            return;
        };
        self.last_us = now_us;
        self.resume_points.push_back(resume_point);
        if self.resume_points.len() > MAX_RESUME_POINTS {
            let mut keep = false;
            self.resume_points.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }

    /// Where to begin so that `needed` is read again. Older resume_points are forgotten.
    pub fn before(&mut self, needed: Option<&str>) -> Option<&A> {
        let after = match needed {
            Some(needed) => self
                .resume_points
                .iter()
                .position(|a| a.contains(needed))
                .unwrap_or(self.resume_points.len()),
            None => self.resume_points.len(),
        };
        // The first resume_point has none before it; it stays whatever it contains.
        self.resume_points.drain(..after.saturating_sub(1));
        self.resume_points.front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_anchor_before_what_is_needed() -> anyhow::Result<()> {
        let names: Arc<[String]> = Arc::new([String::new(), "balance".to_owned()]);
        let at = |main: u32, balance: u32| {
            let positions = [format!("0-1-{main}"), format!("0-1-{balance}")];
            ServerPositions::parse(&[Flavour::MariaDb; 2], &names, &positions)
        };
        let mut resume_points = ResumePoints::new(at(10, 1)?);
        for (main, balance, moment) in [(20, 1, 1), (30, 5, 2), (40, 5, 3)] {
            resume_points.reached(moment * 1_000_000, || at(main, balance).ok());
        }
        resume_points.reached(3_000_001, || at(41, 5).ok());
        let mut before = |needed: Option<&str>| {
            resume_points
                .before(needed)
                .map(ServerPositions::render)
                .unwrap_or_default()
                .join(" ")
        };
        assert_eq!(before(Some("balance/0-1-2")), "0-1-20 0-1-1");
        assert_eq!(before(Some("0-1-21")), "0-1-20 0-1-1");
        assert_eq!(before(Some("0-1-31")), "0-1-30 0-1-5");
        assert_eq!(before(Some("balance/0-1-9")), "0-1-40 0-1-5");
        assert_eq!(before(None), "0-1-40 0-1-5");
        Ok(())
    }
}
