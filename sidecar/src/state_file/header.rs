//! The header of the file: the positions that the state belongs to.

use crate::stream::value_codec::put_maybe_text;
use crate::stream::wire::{ByteReader, put_number, put_signed, put_text};

/// Positions of all sources at one moment of evaluation, and where a reading without the
/// file would have to begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatePositions {
    /// Rows of the checkpoint that the servers have: `binlog`, `binlog:balance`, …
    pub sources: Vec<String>,
    /// Everything up to here was evaluated, by server.
    pub positions: Vec<String>,
    /// Everything from here on is needed to make the state again, by server.
    pub replay: Vec<String>,
    /// As `positions` and `replay`, of Kafka.
    pub kafka: Option<String>,
    pub kafka_replay: Option<String>,
}

/// The header as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateHeader {
    pub positions: StatePositions,
    /// Time of the freezing, in µs.
    pub frozen_us: i64,
    /// Leadership that wrote it, and the rule set that was in force.
    pub epoch: i64,
    pub rules_hash: String,
    pub rules_version: i64,
    /// Name of the key of the MAC; not secret.
    pub key_id: String,
}

fn put_list(out: &mut Vec<u8>, texts: &[String]) {
    put_number(out, texts.len() as u64);
    texts.iter().for_each(|text| put_text(out, text));
}

fn list(bytes: &mut ByteReader<'_>) -> Option<Vec<String>> {
    let texts = (0..bytes.size()?).map(|_| bytes.text().map(str::to_owned));
    texts.collect()
}

impl StateHeader {
    pub fn encode(&self) -> Vec<u8> {
        let StatePositions {
            sources,
            positions,
            replay,
            kafka,
            kafka_replay,
        } = &self.positions;
        let mut out = Vec::new();
        put_text(&mut out, &self.key_id);
        put_signed(&mut out, self.frozen_us);
        put_signed(&mut out, self.epoch);
        put_text(&mut out, &self.rules_hash);
        put_signed(&mut out, self.rules_version);
        [sources, positions, replay]
            .into_iter()
            .for_each(|texts| put_list(&mut out, texts));
        put_maybe_text(&mut out, kafka.as_deref());
        put_maybe_text(&mut out, kafka_replay.as_deref());
        out
    }

    pub fn decode(bytes: &[u8]) -> Option<StateHeader> {
        let mut bytes = ByteReader(bytes);
        let mut header = StateHeader {
            key_id: bytes.text()?.to_owned(),
            frozen_us: bytes.signed()?,
            epoch: bytes.signed()?,
            rules_hash: bytes.text()?.to_owned(),
            rules_version: bytes.signed()?,
            ..StateHeader::default()
        };
        header.positions = StatePositions {
            sources: list(&mut bytes)?,
            positions: list(&mut bytes)?,
            replay: list(&mut bytes)?,
            kafka: bytes.maybe_text()?.map(str::to_owned),
            kafka_replay: bytes.maybe_text()?.map(str::to_owned),
        };
        let servers = header.positions.sources.len();
        let lists = [&header.positions.positions, &header.positions.replay];
        (bytes.is_empty() && lists.iter().all(|list| list.len() == servers)).then_some(header)
    }
}
