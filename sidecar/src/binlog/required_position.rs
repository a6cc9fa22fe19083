//! The position that a server which takes over must have. Everything evaluated and told
//! rests on the changes that were read; but a checkpoint of our own, a lease, a token, or
//! somebody's unwatched row may be lost with the old server and nobody is wronged.

use crate::stream::gtid::{Flavour, Gtid, GtidSet};
use crate::stream::mysql_gtids::{MySqlGtids, MySqlSource};

/// Transactions since the last that is_required, remembered one by one for MySQL, whose
/// sets have no order; past it the oldest count as if they mattered.
const MAX_GTIDS_SINCE: usize = 4096;
/// Tables whose rows are ours or a core's to write again.
const RENEWED_TABLES: [&str; 3] = ["checkpoint", "fence_token", "lease"];

/// Whether a change of this table must not be lost.
pub fn is_required(table: &str) -> bool {
    !RENEWED_TABLES.contains(&table)
}

/// Follows one stream.
#[derive(Debug, Default)]
pub struct RequiredPosition {
    /// MariaDB: of each domain the last that is_required.
    last: Vec<(u32, u32, u64)>,
    /// MySQL: those after the last that is_required.
    since: Vec<Gtid>,
}

impl RequiredPosition {
    /// Everything before the first transaction that is read is required_position on.
    pub fn from(position: &GtidSet) -> Self {
        let last = match position {
            GtidSet::MariaDb(list) => list
                .gtids
                .iter()
                .map(|g| (g.domain_id, g.server_id, g.sequence))
                .collect(),
            GtidSet::MySql(_) | GtidSet::Feed(_) => Vec::new(),
        };
        RequiredPosition {
            last,
            since: Vec::new(),
        }
    }

    /// A transaction was read.
    pub fn read(&mut self, gtid: &Gtid, is_required: bool) {
        match gtid {
            Gtid::MariaDb {
                domain,
                server,
                sequence,
            } if is_required => {
                self.last.retain(|(known, ..)| known != domain);
                self.last.push((*domain, *server, *sequence));
            }
            Gtid::MariaDb { .. } => {}
            Gtid::MySql { .. } if is_required => self.since.clear(),
            Gtid::MySql { .. } => {
                if self.since.len() >= MAX_GTIDS_SINCE {
                    self.since.remove(0);
                }
                self.since.push(gtid.clone());
            }
        }
    }

    /// The part of `position` that is required_position on.
    pub fn of(&self, flavour: Flavour, position: &GtidSet) -> anyhow::Result<GtidSet> {
        match position {
            GtidSet::MariaDb(_) => {
                let last = self
                    .last
                    .iter()
                    .map(|(domain, server, sequence)| format!("{domain}-{server}-{sequence}"));
                GtidSet::parse(flavour, &last.collect::<Vec<_>>().join(","))
            }
            GtidSet::MySql(set) => {
                let mut required = MySqlGtids::default();
                for (source, start, end) in set.intervals() {
                    for (start, end) in self.without(source, start, end) {
                        required.add_interval(source, start, end);
                    }
                }
                Ok(GtidSet::MySql(required))
            }
            // No host can take a feed's place.
            GtidSet::Feed(_) => GtidSet::parse(flavour, &position.render()),
        }
    }

    /// `start..=end` of a MySQL source without those that don't matter.
    fn without(&self, from: &MySqlSource, start: u64, end: u64) -> Vec<(u64, u64)> {
        let ours = self.since.iter().filter_map(|gtid| match gtid {
            Gtid::MySql { source, number } if source == from => Some(*number),
            _ => None,
        });
        let mut out: Vec<u64> = ours.filter(|n| (start..=end).contains(n)).collect();
        out.sort_unstable();
        let (mut parts, mut next) = (Vec::new(), start);
        for number in out {
            if number > next {
                parts.push((next, number - 1));
            }
            next = number + 1;
        }
        if next <= end {
            parts.push((next, end));
        }
        parts
    }
}

#[cfg(test)]
#[path = "required_position_tests.rs"]
mod tests;
