//! Resume points: from where a restart must read again. The evaluator names the oldest input
//! that it still needs; here the position just before it is remembered.

use crate::stream::offsets::PartitionOffsets;
use std::collections::VecDeque;
use std::sync::Arc;

/// Points kept at most, 200 ms apart or more: past it every other one is dropped,
/// which only means that a restart reads a little more.
const MAX_RESUME_POINTS: usize = 8192;
/// Points closer than this would tell nothing new.
const MIN_RESUME_POINT_DISTANCE_US: i64 = 200_000;

/// A position that a source can resume from.
pub trait ResumePoint {
    /// Whether the input at `position` lies before this point.
    fn contains(&self, position: &str) -> bool;
}

impl ResumePoint for Arc<PartitionOffsets> {
    fn contains(&self, position: &str) -> bool {
        PartitionOffsets::contains(self, position)
    }
}

/// Resume points of one source, oldest first.
pub struct ResumePoints<A> {
    points: VecDeque<A>,
    last_us: i64,
}

impl<A: ResumePoint> ResumePoints<A> {
    /// `first` is where this run began to read.
    pub fn new(first: A) -> Self {
        ResumePoints {
            points: VecDeque::from([first]),
            last_us: 0,
        }
    }

    /// Remembers a position reached, unless the last one is too close.
    pub fn reached(&mut self, now_us: i64, point: impl FnOnce() -> Option<A>) {
        if now_us.saturating_sub(self.last_us) < MIN_RESUME_POINT_DISTANCE_US {
            return;
        }
        let Some(point) = point() else {
            return;
        };
        self.last_us = now_us;
        self.points.push_back(point);
        if self.points.len() > MAX_RESUME_POINTS {
            let mut keep = false;
            self.points.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }

    /// The point to begin at so that all of `needed` are read again. Older points are
    /// forgotten.
    pub fn before(&mut self, needed: &[&str]) -> Option<&A> {
        let first_with = |needed: &str| self.points.iter().position(|a| a.contains(needed));
        let after = needed.iter().filter_map(|needed| first_with(needed)).min();
        let after = after.unwrap_or(self.points.len());
        // The first point has none before it; it stays whatever it contains.
        self.points.drain(..after.saturating_sub(1));
        self.points.front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::server_positions::ServerPositions;
    use crate::stream::gtid::Flavour;

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
        let mut before = |needed: &[&str]| {
            resume_points
                .before(needed)
                .map(ServerPositions::render)
                .unwrap_or_default()
                .join(" ")
        };
        assert_eq!(before(&["balance/0-1-2"]), "0-1-20 0-1-1");
        assert_eq!(before(&["0-1-31", "balance/0-1-2"]), "0-1-20 0-1-1");
        assert_eq!(before(&["0-1-21"]), "0-1-20 0-1-1");
        assert_eq!(before(&["0-1-31"]), "0-1-30 0-1-5");
        assert_eq!(before(&["balance/0-1-9"]), "0-1-40 0-1-5");
        assert_eq!(before(&[]), "0-1-40 0-1-5");
        Ok(())
    }
}
