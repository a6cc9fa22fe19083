//! From where a restart must read again. The evaluator names the oldest input that
//! it still needs; here the position just before it is remembered.

use crate::sources::gtid::{Flavour, GtidSet};
use crate::sources::offsets::Offsets;
use std::collections::VecDeque;
use std::sync::Arc;

/// Anchors kept at most, 200 ms apart or more: past it every other one is dropped,
/// which only means that a restart reads a little more.
const MOST_ANCHORS: usize = 8192;
/// Anchors closer than this would tell nothing new.
const APART_US: i64 = 200_000;

/// A position that a source can resume from.
pub trait Anchor {
    fn render(&self) -> String;
    /// Whether the input at `position` lies before this anchor.
    fn contains(&self, position: &str) -> bool;
}

impl Anchor for GtidSet {
    fn render(&self) -> String {
        GtidSet::render(self)
    }

    fn contains(&self, position: &str) -> bool {
        GtidSet::contains(self, position)
    }
}

impl Anchor for Arc<Offsets> {
    fn render(&self) -> String {
        Offsets::render(self)
    }

    fn contains(&self, position: &str) -> bool {
        Offsets::contains(self, position)
    }
}

/// Anchors of one source, oldest first.
pub struct Anchors<A> {
    anchors: VecDeque<A>,
    last_us: i64,
}

impl<A: Anchor> Anchors<A> {
    /// `first` is where this run began to read.
    pub fn new(first: A) -> Self {
        Anchors { anchors: VecDeque::from([first]), last_us: 0 }
    }

    /// Remembers a position reached, unless the last one is too close.
    pub fn reached(&mut self, now_us: i64, anchor: impl FnOnce() -> Option<A>) {
        if now_us.saturating_sub(self.last_us) < APART_US {
            return;
        }
        let Some(anchor) = anchor() else { return };
        self.last_us = now_us;
        self.anchors.push_back(anchor);
        if self.anchors.len() > MOST_ANCHORS {
            let mut keep = false;
            self.anchors.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }

    /// Where to begin so that `needed` is read again. Older anchors are forgotten.
    pub fn before(&mut self, needed: Option<&str>) -> String {
        let after = match needed {
            Some(needed) => self.anchors.iter().position(|a| a.contains(needed)).unwrap_or(self.anchors.len()),
            None => self.anchors.len(),
        };
        // The first anchor has none before it; it stays whatever it contains.
        self.anchors.drain(..after.saturating_sub(1));
        self.anchors.front().map(Anchor::render).unwrap_or_default()
    }
}

/// Anchors of a binlog.
pub fn binlog(flavour: Flavour, position: &str) -> anyhow::Result<Anchors<GtidSet>> {
    Ok(Anchors::new(GtidSet::parse(flavour, position)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_anchor_before_what_is_needed() -> anyhow::Result<()> {
        let mut anchors = binlog(Flavour::MariaDb, "0-1-10")?;
        for (number, at) in [(20, 1), (30, 2), (40, 3)] {
            anchors.reached(at * 1_000_000, || GtidSet::parse(Flavour::MariaDb, &format!("0-1-{number}")).ok());
        }
        anchors.reached(3_000_001, || GtidSet::parse(Flavour::MariaDb, "0-1-41").ok());
        assert_eq!(anchors.before(Some("0-1-21")), "0-1-20");
        assert_eq!(anchors.before(Some("0-1-30")), "0-1-20");
        assert_eq!(anchors.before(Some("0-1-31")), "0-1-30");
        assert_eq!(anchors.before(Some("0-1-99")), "0-1-40");
        assert_eq!(anchors.before(None), "0-1-40");
        Ok(())
    }
}
