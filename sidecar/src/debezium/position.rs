//! How far a feed was read: which transactions are done, and of each partition the
//! first message that is not: `0-1-56|bank.transaction=12;…`.

use crate::sources::gtid::{Flavour, Gtid, GtidSet};
use crate::sources::offsets::Offsets;
use anyhow::Context;

/// Between the transactions and the offsets.
const MARK: char = '|';

/// A position of the feed. Without any transaction yet it is empty.
#[derive(Debug, Default)]
pub struct Reached {
    /// Of whichever kind of server the feed comes from; known by its first transaction.
    done: Option<GtidSet>,
    pub offsets: Offsets,
}

impl Reached {
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        if text.is_empty() {
            return Ok(Reached::default());
        }
        let (done, offsets) = text.split_once(MARK).with_context(|| {
            format!(
                "{text:?} is no position of a change feed; delete the checkpoint row of source changes to start anew"
            )
        })?;
        let done = (!done.is_empty())
            .then(|| GtidSet::parse(flavour_of(done), done))
            .transpose()?;
        Ok(Reached {
            done,
            offsets: Offsets::parse(offsets)?,
        })
    }

    pub fn render(&self) -> String {
        format!(
            "{}{MARK}{}",
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
            Gtid::MySql { number, .. } => {
                let before = first_of(gtid).replace(":1", &format!(":1-{}", number - 1));
                let known = self
                    .done
                    .as_ref()
                    .map(GtidSet::render)
                    .filter(|text| !text.is_empty());
                let all = known
                    .into_iter()
                    .chain([before])
                    .collect::<Vec<_>>()
                    .join(",");
                self.done = Some(GtidSet::parse(Flavour::MySql, &all)?);
                Ok(())
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
            source: *source,
            number: 1,
        }
        .render(),
    }
}

/// What numbers its transaction: a domain or a server.
pub fn stream(gtid: &Gtid) -> String {
    match gtid {
        Gtid::MariaDb { domain, .. } => domain.to_string(),
        Gtid::MySql { source, .. } => hex::encode(source),
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

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "24bc7850-2c16-11e6-a073-0242ac110001";

    #[test]
    fn text_and_back_for_both_kinds_of_server() -> anyhow::Result<()> {
        for (first, next, text) in [
            (
                "0-1-56".to_owned(),
                "0-1-57".to_owned(),
                "0-1-57|a=3".to_owned(),
            ),
            (
                format!("{UUID}:56"),
                format!("{UUID}:57"),
                format!("{UUID}:1-55:57|a=3"),
            ),
        ] {
            let mut reached = Reached::parse("")?;
            assert!(!reached.knows_stream_of(&gtid(&first)?));
            reached.begin_at(&gtid(&first)?)?;
            assert!(reached.knows_stream_of(&gtid(&next)?) && !reached.contains(&first));
            reached.offsets.set("a", 0, 3);
            reached.add(&gtid(&next)?)?;
            assert_eq!(reached.render(), text);
            assert_eq!(Reached::parse(&text)?.render(), text);
            assert!(reached.contains(&next));
        }
        for wrong in ["0-1-56", "x|a=1", "0-1-5|a"] {
            assert!(Reached::parse(wrong).is_err(), "{wrong}");
        }
        assert!(gtid("file=binlog.1,pos=4").is_err());
        Ok(())
    }
}
