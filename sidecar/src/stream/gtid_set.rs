//! Sets of GTIDs.

use crate::stream::gtid::{Flavour, Gtid};
use crate::stream::gtid_text::{is_maria_list, maria_parts};
use crate::stream::mysql_gtids::{MySqlGtids, mysql_gtid};
use crate::stream::position::FeedPosition;
use anyhow::Context;
use mysql_async::Sid;
use mysql_cdc::providers::mariadb::gtid::gtid::Gtid as MariaGtid;
use mysql_cdc::providers::mariadb::gtid::gtid_list::GtidList;

/// Everything that was read: of each MariaDB domain the last GTID, of each MySQL
/// source its intervals.
#[derive(Debug)]
pub enum GtidSet {
    MariaDb(GtidList),
    MySql(MySqlGtids),
    Feed(Box<FeedPosition>),
}

impl GtidSet {
    /// Reads `0-1-56,1-1-3` or `uuid:1-56:tag:1-3`, or nothing.
    pub fn parse(flavour: Flavour, text: &str) -> anyhow::Result<Self> {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if flavour == Flavour::Feed {
            return Ok(GtidSet::Feed(Box::new(FeedPosition::parse(&text)?)));
        }
        let next_step = || {
            format!(
                "{text:?} is not a GTID position of {flavour:?}; delete the sidecar's checkpoint row to start anew"
            )
        };
        if flavour == Flavour::MySql {
            return MySqlGtids::parse(&text)
                .map(GtidSet::MySql)
                .with_context(next_step);
        }
        if !text.is_empty() && !text.split(',').all(is_maria_list) {
            anyhow::bail!(next_step());
        }
        let list = GtidList::parse(&text);
        Ok(GtidSet::MariaDb(list.map_err(|e| {
            anyhow::anyhow!("GTID position {text:?}: {e:?}")
        })?))
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
            (GtidSet::MySql(set), Gtid::MySql { source, number }) => {
                set.add(source, *number);
                Ok(())
            }
            (GtidSet::Feed(reached), gtid) => reached.add(gtid),
            (_, other) => anyhow::bail!("GTID {} is of the other flavour", other.render()),
        }
    }

    pub fn render(&self) -> String {
        match self {
            GtidSet::MariaDb(list) => list.to_string(),
            GtidSet::MySql(set) => set.render(),
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
            GtidSet::MySql(set) => {
                mysql_gtid(position).is_some_and(|(source, number)| set.contains(&source, number))
            }
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
            (GtidSet::MySql(ours), GtidSet::MySql(theirs)) => ours.lacks(theirs),
            // Servers of two kinds have nothing in common.
            _ => u64::MAX,
        }
    }

    /// The set for MySQL's `COM_BINLOG_DUMP_GTID`; empty for MariaDB.
    pub fn sids(&self) -> Vec<Sid<'static>> {
        match self {
            GtidSet::MySql(set) => set.sids(),
            GtidSet::MariaDb(_) | GtidSet::Feed(_) => Vec::new(),
        }
    }
}
