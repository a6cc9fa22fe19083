//! GTIDs, and sets of them that say how far a change stream was read. MariaDB's lists are
//! mysql_cdc's; its parser panics on malformed text, so the shape is checked before.

pub use crate::stream::gtid_set::GtidSet;

use crate::stream::gtid_text::maria_parts;
use crate::stream::mysql_gtids::{MySqlSource, mysql_gtid};

/// A kind of server. They differ in GTIDs and in how a stream is resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    MariaDb,
    MySql,
    /// A change feed on Kafka, and no server.
    Feed,
}

/// One transaction's GTID.
#[derive(Debug, Clone)]
pub enum Gtid {
    MariaDb {
        domain: u32,
        server: u32,
        sequence: u64,
    },
    MySql {
        source: MySqlSource,
        number: u64,
    },
}

impl Gtid {
    /// Reads `0-1-56`, `uuid:56` or `uuid:tag:56`. `None` if it is none of them.
    pub fn parse(flavour: Flavour, text: &str) -> Option<Self> {
        if flavour == Flavour::MySql {
            let (source, number) = mysql_gtid(text)?;
            return Some(Gtid::MySql { source, number });
        }
        let (domain, sequence) = maria_parts(text)?;
        let server = text.split('-').nth(1)?.parse().ok()?;
        Some(Gtid::MariaDb {
            domain,
            server,
            sequence,
        })
    }

    /// Renders it as rules, verdicts and people see it: `0-1-56`, `uuid:56` or
    /// `uuid:tag:56`.
    pub fn render(&self) -> String {
        match self {
            Gtid::MariaDb {
                domain,
                server,
                sequence,
            } => format!("{domain}-{server}-{sequence}"),
            Gtid::MySql { source, number } => format!("{}:{number}", source.render()),
        }
    }
}

#[cfg(test)]
#[path = "gtid_tests.rs"]
mod tests;
