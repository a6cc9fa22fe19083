//! The choice at a start: the file, or the binlog read again from the checkpoint.

use crate::state_file::header::StatePositions;
use crate::stream::gtid::{Flavour, GtidSet};
use crate::stream::offsets::PartitionOffsets;

/// Positions of the checkpoint, by server.
#[derive(Debug, Clone)]
pub struct CommittedPositions {
    /// Name in the checkpoint, flavour, position and where a reading without the file begins.
    pub servers: Vec<(String, Flavour, String, String)>,
    /// Position of Kafka; None without Kafka, or without its checkpoint.
    pub kafka: Option<String>,
    pub has_kafka: bool,
}

/// The reason why a file of these positions is not gone on from; None if it is.
///
/// Everything found up to the file's positions must be committed: each lies within the
/// checkpoint's. A file that is older than where the reading of a server would begin anyway is
/// of no use, and a gap may lie between.
pub fn refusal(file: &StatePositions, committed: &CommittedPositions) -> Option<String> {
    let servers = committed.servers.iter().map(|(source, ..)| source);
    if !servers.eq(file.sources.iter()) {
        return Some(format!(
            "it is of the sources {}, not of these",
            file.sources.join(", ")
        ));
    }
    for ((source, flavour, position, replay), at) in committed.servers.iter().zip(&file.positions) {
        match is_within(*flavour, at, position) {
            Some(true) => {}
            Some(false) => {
                return Some(format!(
                    "it is ahead of the checkpoint of {source}: {at} is not within {position}"
                ));
            }
            None => return Some(format!("{at} and {position} of {source} can't be compared")),
        }
        if let Some(domain) = branch(*flavour, at, position) {
            return Some(format!(
                "it ends in domain {domain} of {source} with another server's transaction than the checkpoint, {at} \
                 and {position}: after a fail-over nobody can tell whether that one is among what came since"
            ));
        }
        if at != position && is_within(*flavour, at, replay) == Some(true) {
            return Some(format!(
                "it is older than what the checkpoint asks to be read of {source} again"
            ));
        }
    }
    match (&file.kafka, &committed.kafka) {
        (None, None) if !committed.has_kafka => {}
        (Some(at), Some(position)) => {
            let [Ok(at), Ok(position)] = [at, position].map(|text| PartitionOffsets::parse(text))
            else {
                return Some("its offsets of Kafka can't be read".to_owned());
            };
            if !position.reached(&at) {
                return Some("it is ahead of the checkpoint of kafka".to_owned());
            }
        }
        _ => return Some("it and the checkpoint are not both of a stream with Kafka".to_owned()),
    }
    None
}

/// The first domain in which `at` ends with the transaction of another server than `position`.
/// MariaDB's sequence alone doesn't tell: a primary that was given up may have had one that its
/// successor never saw, and gave the number to another.
fn branch<'a>(flavour: Flavour, at: &'a str, position: &str) -> Option<&'a str> {
    if flavour != Flavour::MariaDb {
        return None;
    }
    let server_of = |list: &str, domain: &str| {
        let mut parts = list.split(',').map(|gtid| gtid.trim().split('-'));
        parts.find_map(|mut gtid| {
            let is_it = gtid.next() == Some(domain);
            gtid.next().filter(|_| is_it).map(str::to_owned)
        })
    };
    let mut domains = at
        .split(',')
        .filter_map(|gtid| gtid.trim().split('-').next());
    domains.find(|domain| server_of(at, domain) != server_of(position, domain))
}

/// Whether everything of `at` lies within `position`; None if they can't be compared.
fn is_within(flavour: Flavour, at: &str, position: &str) -> Option<bool> {
    if at == position {
        return Some(true);
    }
    // A feed's positions have no order that tells.
    if flavour == Flavour::Feed {
        return Some(false);
    }
    let [at, position] = [at, position].map(|text| GtidSet::parse(flavour, text).ok());
    Some(position?.lacks(&at?) == 0)
}
