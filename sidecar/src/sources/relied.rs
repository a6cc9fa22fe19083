//! What a server that takes over must have. Everything that was evaluated and told
//! rests on the changes that were read; but a checkpoint of our own, a token, or
//! somebody's unwatched row may be lost with the old server and nobody is wronged.

use super::gtid::{Flavour, Gtid, GtidSet};
use std::fmt::Write;

/// Transactions since the last that matters, remembered one by one for MySQL, whose
/// sets have no order; past it the oldest count as if they mattered.
const MOST_SINCE: usize = 4096;
/// Tables whose rows are ours or a core's to write again.
const RENEWED: [&str; 2] = ["checkpoint", "fence_token"];

/// Whether a change of this table must not be lost.
pub fn matters(table: &str) -> bool {
    !RENEWED.contains(&table)
}

/// Follows one stream.
#[derive(Debug, Default)]
pub struct Relied {
    /// MariaDB: of each domain the last that matters.
    last: Vec<(u32, u32, u64)>,
    /// MySQL: those after the last that matters.
    since: Vec<Gtid>,
}

impl Relied {
    /// Everything before the first transaction that is read is relied on.
    pub fn from(position: &GtidSet) -> Self {
        let last = match position {
            GtidSet::MariaDb(list) => list
                .gtids
                .iter()
                .map(|g| (g.domain_id, g.server_id, g.sequence))
                .collect(),
            GtidSet::MySql(_) | GtidSet::Feed(_) => Vec::new(),
        };
        Relied {
            last,
            since: Vec::new(),
        }
    }

    /// A transaction was read.
    pub fn read(&mut self, gtid: &Gtid, matters: bool) {
        match gtid {
            Gtid::MariaDb {
                domain,
                server,
                sequence,
            } if matters => {
                self.last.retain(|(known, ..)| known != domain);
                self.last.push((*domain, *server, *sequence));
            }
            Gtid::MariaDb { .. } => {}
            Gtid::MySql { .. } if matters => self.since.clear(),
            Gtid::MySql { .. } => {
                if self.since.len() >= MOST_SINCE {
                    self.since.remove(0);
                }
                self.since.push(gtid.clone());
            }
        }
    }

    /// The part of `position` that is relied on.
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
                let mut text = String::new();
                for sid in set.uuid_sets.values() {
                    let parts: Vec<(u64, u64)> = sid
                        .intervals
                        .iter()
                        .flat_map(|i| self.without(sid.source_id.data, i.start, i.end))
                        .collect();
                    if parts.is_empty() {
                        continue;
                    }
                    // Writing into a String can't fail.
                    let _ = write!(
                        text,
                        "{}{}",
                        if text.is_empty() { "" } else { "," },
                        sid.source_id.uuid
                    );
                    for (start, end) in parts {
                        let _ = write!(text, ":{start}-{end}");
                    }
                }
                GtidSet::parse(flavour, &text)
            }
            // No host can take a feed's place.
            GtidSet::Feed(_) => GtidSet::parse(flavour, &position.render()),
        }
    }

    /// `start..=end` of a MySQL source without those that don't matter.
    fn without(&self, from: [u8; 16], start: u64, end: u64) -> Vec<(u64, u64)> {
        let ours = self.since.iter().filter_map(|gtid| match gtid {
            Gtid::MySql { source, number } if *source == from => Some(*number),
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
mod tests {
    use super::*;

    #[test]
    fn trailing_heartbeats_are_not_relied_on() -> anyhow::Result<()> {
        let begin = GtidSet::parse(Flavour::MariaDb, "0-1-5,1-1-3")?;
        let mut relied = Relied::from(&begin);
        let gtid = |sequence| Gtid::MariaDb {
            domain: 0,
            server: 2,
            sequence,
        };
        relied.read(&gtid(6), true);
        relied.read(&gtid(7), false);
        assert_eq!(
            relied
                .of(Flavour::MariaDb, &begin)?
                .lacks(&GtidSet::parse(Flavour::MariaDb, "0-2-7,1-1-3")?),
            1
        );

        const UUID: &str = "24bc7850-2c16-11e6-a073-0242ac110001";
        let set = GtidSet::parse(Flavour::MySql, &format!("{UUID}:1-9"))?;
        let GtidSet::MySql(inner) = &set else {
            anyhow::bail!("not MySQL's")
        };
        let source = inner.uuid_sets[UUID].source_id.data;
        let mut relied = Relied::from(&set);
        for (number, matters) in [(5, false), (6, true), (7, false), (9, false)] {
            relied.read(&Gtid::MySql { source, number }, matters);
        }
        assert_eq!(
            relied.of(Flavour::MySql, &set)?.render(),
            format!("{UUID}:1-6:8")
        );
        Ok(())
    }
}
