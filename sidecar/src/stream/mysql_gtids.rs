//! MySQL's GTIDs: of each source the numbers that were read. A tag (MySQL 8.3) is part of
//! the source's name: it numbers its transactions by itself.

use anyhow::{Context, bail};
use mysql_async::{GnoInterval, Sid};
use mysql_common::packets::Tag;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Longest tag, and the shape of a UUID in text.
const MAX_TAG_BYTES: usize = 32;
const UUID_CHARS: usize = 36;

/// A numbering of transactions: a server's own, or one of its tags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MySqlSource {
    pub uuid: [u8; 16],
    /// Empty for the server's own.
    pub tag: Box<str>,
}

impl MySqlSource {
    /// Reads `uuid` or `uuid:tag`.
    pub fn parse(text: &str) -> Option<Self> {
        let (uuid, tag) = text.split_once(':').unwrap_or((text, ""));
        (tag.is_empty() || is_tag(tag))
            .then(|| {
                Some(MySqlSource {
                    uuid: parse_uuid(uuid)?,
                    tag: tag.into(),
                })
            })
            .flatten()
    }

    /// Renders it as MySQL does, before the colon of a number.
    pub fn render(&self) -> String {
        let hex = hex::encode(self.uuid);
        let mut text = String::with_capacity(UUID_CHARS + 1 + self.tag.len());
        for (at, c) in hex.chars().enumerate() {
            if matches!(at, 8 | 12 | 16 | 20) {
                text.push('-');
            }
            text.push(c);
        }
        if !self.tag.is_empty() {
            text.push(':');
            text.push_str(&self.tag);
        }
        text
    }
}

/// Reads `uuid:56` or `uuid:tag:56`.
pub fn mysql_gtid(text: &str) -> Option<(MySqlSource, u64)> {
    let (source, number) = text.rsplit_once(':')?;
    let number = number.parse().ok().filter(|number| *number > 0)?;
    Some((MySqlSource::parse(source)?, number))
}

/// Sets of numbers by source. Intervals are sorted, apart, and hold both of their ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MySqlGtids(BTreeMap<MySqlSource, Vec<(u64, u64)>>);

impl MySqlGtids {
    /// Reads `uuid:1-5:7:tag:1-3,uuid:…`, or nothing: a tag stands before its intervals.
    ///
    /// # Errors
    /// Text of another shape.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let mut set = MySqlGtids::default();
        for one in text.split(',').filter(|_| !text.is_empty()) {
            let mut parts = one.split(':').peekable();
            let uuid = parts.next().and_then(parse_uuid);
            let uuid = uuid.with_context(|| format!("{one:?} begins with no UUID"))?;
            let mut source = MySqlSource {
                uuid,
                tag: Box::default(),
            };
            if parts.peek().is_none() {
                bail!("{one:?} has no interval");
            }
            while let Some(part) = parts.next() {
                if let Some((start, end)) = parse_interval(part) {
                    set.add_interval(&source, start, end);
                } else if is_tag(part) && parts.peek().is_some_and(|next| !is_tag(next)) {
                    source.tag = part.into();
                } else {
                    bail!("{part:?} in {one:?} is neither an interval nor a tag before one");
                }
            }
        }
        Ok(set)
    }

    /// Adds one transaction.
    pub fn add(&mut self, source: &MySqlSource, number: u64) {
        self.add_interval(source, number, number);
    }

    /// Adds the numbers from `start` to `end`, both included.
    pub fn add_interval(&mut self, source: &MySqlSource, start: u64, end: u64) {
        let all = match self.0.get_mut(source) {
            Some(all) => all,
            None => self.0.entry(source.clone()).or_default(),
        };
        let from = all.partition_point(|(_, last)| last.saturating_add(1) < start);
        let to = all.partition_point(|(first, _)| *first <= end.saturating_add(1));
        let touched = all.get(from..to).unwrap_or_default();
        let joined = touched.iter().fold((start, end), |(start, end), known| {
            (start.min(known.0), end.max(known.1))
        });
        all.splice(from..to.max(from), [joined]);
    }

    /// Whether a transaction is within.
    pub fn contains(&self, source: &MySqlSource, number: u64) -> bool {
        let within = |(start, end): &(u64, u64)| (*start..=*end).contains(&number);
        self.0.get(source).is_some_and(|all| all.iter().any(within))
    }

    /// Counts the transactions of `other` that are not within.
    pub fn lacks(&self, other: &MySqlGtids) -> u64 {
        let count = |start: u64, end: u64| (end + 1).saturating_sub(start);
        let lacks = |(source, theirs): (&MySqlSource, &Vec<(u64, u64)>)| {
            let ours = self.0.get(source).map_or(&[][..], Vec::as_slice);
            let all: u64 = theirs.iter().map(|(start, end)| count(*start, *end)).sum();
            let both = theirs
                .iter()
                .flat_map(|t| ours.iter().map(move |o| count(t.0.max(o.0), t.1.min(o.1))));
            all - both.sum::<u64>()
        };
        other.0.iter().map(lacks).sum()
    }

    /// All intervals, with their sources.
    pub fn intervals(&self) -> impl Iterator<Item = (&MySqlSource, u64, u64)> {
        self.0
            .iter()
            .flat_map(|(source, all)| all.iter().map(move |(start, end)| (source, *start, *end)))
    }

    /// Renders the set as MySQL reads it.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for (source, all) in &self.0 {
            text.push_str(if text.is_empty() { "" } else { "," });
            text.push_str(&source.render());
            for (start, end) in all {
                // Writing into a String can't fail.
                let _ = if start == end {
                    write!(text, ":{start}")
                } else {
                    write!(text, ":{start}-{end}")
                };
            }
        }
        text
    }

    /// The set for `COM_BINLOG_DUMP_GTID`.
    pub fn sids(&self) -> Vec<Sid<'static>> {
        let one = |(source, all): (&MySqlSource, &Vec<(u64, u64)>)| {
            let tag = Tag::new(source.tag.to_string()).ok();
            let sid = tag
                .into_iter()
                .fold(Sid::new(source.uuid), |sid, tag| sid.with_tag(tag));
            // On the wire the end is exclusive.
            all.iter().fold(sid, |sid, (start, end)| {
                sid.with_interval(GnoInterval::new(*start, end.saturating_add(1)))
            })
        };
        self.0.iter().map(one).collect()
    }
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let mut uuid = [0; 16];
    (text.len() == UUID_CHARS).then(|| hex::decode_to_slice(digits, &mut uuid).ok())??;
    Some(uuid)
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b == b'_';
    text.len() <= MAX_TAG_BYTES
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || b.is_ascii_digit())
}

fn parse_interval(text: &str) -> Option<(u64, u64)> {
    let (start, end) = text.split_once('-').unwrap_or((text, text));
    let (start, end): (u64, u64) = (start.parse().ok()?, end.parse().ok()?);
    // One more than the last must be a number too.
    (start > 0 && end >= start && end < u64::MAX).then_some((start, end))
}

#[cfg(test)]
#[path = "mysql_gtids_tests.rs"]
mod tests;
