//! Sets of GTIDs.

use crate::stream::gtid::{Flavour, Gtid};
use crate::stream::gtid_text::{is_maria_list, is_mysql_set, maria_parts, mysql_parts};
use crate::stream::position::FeedPosition;
use mysql_async::{GnoInterval, Sid};
use mysql_cdc::providers::mariadb::gtid::gtid::Gtid as MariaGtid;
use mysql_cdc::providers::mariadb::gtid::gtid_list::GtidList;
use mysql_cdc::providers::mysql::gtid::gtid::Gtid as MysqlGtid;
use mysql_cdc::providers::mysql::gtid::gtid_set;
use mysql_cdc::providers::mysql::gtid::uuid::Uuid;

/// Everything that was read: of each MariaDB domain the last GTID, of each MySQL
/// source its intervals.
#[derive(Debug)]
pub enum GtidSet {
    MariaDb(GtidList),
    MySql(gtid_set::GtidSet),
    Feed(Box<FeedPosition>),
}

impl GtidSet {
    /// Reads `0-1-56,1-1-3` or `uuid:1-56`, or nothing.
    pub fn parse(flavour: Flavour, text: &str) -> anyhow::Result<Self> {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if flavour == Flavour::Feed {
            return Ok(GtidSet::Feed(Box::new(FeedPosition::parse(&text)?)));
        }
        let shape = match flavour {
            Flavour::MariaDb | Flavour::Feed => is_maria_list,
            Flavour::MySql => is_mysql_set,
        };
        if !text.is_empty() && !text.split(',').all(shape) {
            anyhow::bail!(
                "{text:?} is not a GTID position of {flavour:?}; delete the sidecar's checkpoint row to start anew"
            );
        }
        let broken = |e| anyhow::anyhow!("GTID position {text:?}: {e:?}");
        Ok(match flavour {
            Flavour::MariaDb | Flavour::Feed => {
                GtidSet::MariaDb(GtidList::parse(&text).map_err(broken)?)
            }
            Flavour::MySql => GtidSet::MySql(gtid_set::GtidSet::parse(&text).map_err(broken)?),
        })
    }

    pub fn add(&mut self, gtid: &Gtid) -> anyhow::Result<()> {
        match (self, gtid) {
            (
                GtidSet::MariaDb(list),
                Gtid::MariaDb {
                    domain,
                    server,
                    sequence,
                },
            ) => {
                list.add_gtid(MariaGtid::new(*domain, *server, *sequence));
                Ok(())
            }
            (GtidSet::MySql(set), Gtid::MySql { source, number }) => set
                .add_gtid(MysqlGtid::new(Uuid::new(*source), *number))
                .map(|_| ())
                .map_err(|e| anyhow::anyhow!("GTID {}: {e:?}", gtid.render())),
            (GtidSet::Feed(reached), gtid) => reached.add(gtid),
            (_, other) => anyhow::bail!("GTID {} is of the other flavour", other.render()),
        }
    }

    pub fn render(&self) -> String {
        match self {
            GtidSet::MariaDb(list) => list.to_string(),
            GtidSet::MySql(set) => set.to_string(),
            GtidSet::Feed(reached) => reached.render(),
        }
    }

    /// Whether a transaction's position (`0-1-56`, `uuid:56`) lies within.
    pub fn contains(&self, position: &str) -> bool {
        match self {
            GtidSet::Feed(reached) => reached.contains(position),
            GtidSet::MariaDb(list) => maria_parts(position).is_some_and(|(domain, sequence)| {
                list.gtids
                    .iter()
                    .any(|g| g.domain_id == domain && g.sequence >= sequence)
            }),
            GtidSet::MySql(set) => mysql_parts(position).is_some_and(|(source, number)| {
                let intervals = set.uuid_sets.get(source).map(|s| &s.intervals);
                intervals
                    .is_some_and(|all| all.iter().any(|i| i.start <= number && number <= i.end))
            }),
        }
    }

    /// Counts the transactions of `other` that are not within.
    pub fn lacks(&self, other: &GtidSet) -> u64 {
        match (self, other) {
            (GtidSet::MariaDb(ours), GtidSet::MariaDb(theirs)) => {
                let reached = |domain| {
                    ours.gtids
                        .iter()
                        .find(|g| g.domain_id == domain)
                        .map_or(0, |g| g.sequence)
                };
                theirs
                    .gtids
                    .iter()
                    .map(|g| g.sequence.saturating_sub(reached(g.domain_id)))
                    .sum()
            }
            (GtidSet::MySql(ours), GtidSet::MySql(theirs)) => theirs
                .uuid_sets
                .iter()
                .map(|(source, set)| {
                    let within = ours.uuid_sets.get(source).map_or(&[][..], |s| &s.intervals);
                    let whole: u64 = set.intervals.iter().map(|i| i.end - i.start + 1).sum();
                    let both: u64 = set
                        .intervals
                        .iter()
                        .flat_map(|i| {
                            within
                                .iter()
                                .map(move |w| (i.start.max(w.start), i.end.min(w.end)))
                        })
                        .map(|(start, end)| (end + 1).saturating_sub(start))
                        .sum();
                    whole - both
                })
                .sum(),
            // Servers of two kinds have nothing in common.
            _ => u64::MAX,
        }
    }

    /// The set for MySQL's `COM_BINLOG_DUMP_GTID`; empty for MariaDB.
    pub fn sids(&self) -> Vec<Sid<'static>> {
        let GtidSet::MySql(set) = self else {
            return Vec::new();
        };
        let one = |s: &mysql_cdc::providers::mysql::gtid::uuid_set::UuidSet| {
            // On the wire the end is exclusive.
            s.intervals
                .iter()
                .fold(Sid::new(s.source_id.data), |sid, i| {
                    sid.with_interval(GnoInterval::new(i.start, i.end.saturating_add(1)))
                })
        };
        set.uuid_sets.values().map(one).collect()
    }
}
