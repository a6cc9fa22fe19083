//! The position of a feed: which transactions are done, and of each partition the
//! first message that is not: `0-1-56|bank.transaction=12;…`.

use crate::stream::gtid::{Flavour, Gtid, GtidSet};
use crate::stream::mysql_gtids::MySqlGtids;
use crate::stream::offsets::PartitionOffsets;
use anyhow::Context;

/// Between the transactions and the offsets.
const OFFSETS_SEPARATOR: char = '|';

/// A position of the feed. Without any transaction yet it is empty.
#[derive(Debug, Default)]
pub struct FeedPosition {
    /// Of whichever kind of server the feed comes from; known by its first transaction.
    done: Option<GtidSet>,
    pub offsets: PartitionOffsets,
}

impl FeedPosition {
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        if text.is_empty() {
            return Ok(FeedPosition::default());
        }
        let (done, offsets) = text.split_once(OFFSETS_SEPARATOR).with_context(|| {
            format!(
                "{text:?} is no position of a change feed; delete the checkpoint row of source changes to start anew"
            )
        })?;
        let done = (!done.is_empty())
            .then(|| GtidSet::parse(flavour_of(done), done))
            .transpose()?;
        Ok(FeedPosition {
            done,
            offsets: PartitionOffsets::parse(offsets)?,
        })
    }

    pub fn render(&self) -> String {
        format!(
            "{}{OFFSETS_SEPARATOR}{}",
            self.done.as_ref().map(GtidSet::render).unwrap_or_default(),
            self.offsets.render()
        )
    }

    /// Whether a transaction is done.
    pub fn contains(&self, id: &str) -> bool {
        self.done.as_ref().is_some_and(|done| done.contains(id))
    }

    /// Whether any transaction of its stream is known.
    pub fn knows_stream_of(&self, gtid: &Gtid) -> bool {
        self.contains(&first_of(gtid))
    }

    /// Everything of its stream before it is not ours: reading began here.
    pub fn begin_at(&mut self, gtid: &Gtid) -> anyhow::Result<()> {
        match gtid {
            // A stream's transactions are numbered from 1.
            Gtid::MariaDb {
                sequence: 0 | 1, ..
            }
            | Gtid::MySql { number: 0 | 1, .. } => Ok(()),
            Gtid::MariaDb {
                domain,
                server,
                sequence,
            } => self.add(&Gtid::MariaDb {
                domain: *domain,
                server: *server,
                sequence: sequence - 1,
            }),
            Gtid::MySql { source, number } => {
                let done = self
                    .done
                    .get_or_insert(GtidSet::MySql(MySqlGtids::default()));
                match done {
                    GtidSet::MySql(set) => {
                        set.add_interval(source, 1, number - 1);
                        Ok(())
                    }
                    _ => anyhow::bail!("GTID {} is of the other flavour", gtid.render()),
                }
            }
        }
    }

    pub fn add(&mut self, gtid: &Gtid) -> anyhow::Result<()> {
        let flavour = match gtid {
            Gtid::MariaDb { .. } => Flavour::MariaDb,
            Gtid::MySql { .. } => Flavour::MySql,
        };
        if self.done.is_none() {
            self.done = Some(GtidSet::parse(flavour, "")?);
        }
        self.done.as_mut().map_or(Ok(()), |done| done.add(gtid))
    }
}

/// The first transaction of the same stream.
fn first_of(gtid: &Gtid) -> String {
    match gtid {
        Gtid::MariaDb { domain, server, .. } => Gtid::MariaDb {
            domain: *domain,
            server: *server,
            sequence: 1,
        }
        .render(),
        Gtid::MySql { source, .. } => Gtid::MySql {
            source: source.clone(),
            number: 1,
        }
        .render(),
    }
}

/// The stream that numbers this transaction: a domain or a server.
pub fn stream(gtid: &Gtid) -> String {
    match gtid {
        Gtid::MariaDb { domain, .. } => domain.to_string(),
        Gtid::MySql { source, .. } => source.render(),
    }
}

fn flavour_of(text: &str) -> Flavour {
    if text.contains(':') {
        Flavour::MySql
    } else {
        Flavour::MariaDb
    }
}

/// A transaction's id in the feed: the GTID that its server gave it.
pub fn gtid(id: &str) -> anyhow::Result<Gtid> {
    Gtid::parse(flavour_of(id), id).with_context(|| {
        format!(
            "transaction id {id:?} is no GTID: have the server write them (gtid_mode = ON), so that none is read twice"
        )
    })
}

/// The beginning if there is no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartPosition {
    /// Everything that is committed from now on.
    #[default]
    Now,
    /// Everything that the server still has.
    Oldest,
}

#[cfg(test)]
#[path = "position_tests.rs"]
mod tests;
