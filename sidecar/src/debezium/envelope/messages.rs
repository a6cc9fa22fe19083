//! Messages of the feed as JSON.

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub type EnvelopeColumns = BTreeMap<String, Json>;

#[derive(Deserialize)]
pub struct ChangeEnvelope {
    pub op: String,
    pub before: Option<EnvelopeColumns>,
    pub after: Option<EnvelopeColumns>,
    pub transaction: Option<TransactionBlock>,
    pub source: Option<EnvelopeSource>,
}

#[derive(Deserialize)]
pub struct TransactionBlock {
    pub id: String,
    pub total_order: u64,
    /// As `total_order`, among the changes of its table.
    #[serde(default)]
    pub data_collection_order: u64,
}

/// A message of the transaction topic.
#[derive(Debug, Deserialize)]
pub struct TransactionBoundary {
    pub status: BoundaryStatus,
    pub id: String,
    data_collections: Option<Vec<CollectionCount>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum BoundaryStatus {
    Begin,
    End,
}

#[derive(Debug, Deserialize)]
struct CollectionCount {
    data_collection: String,
    event_count: u64,
}

impl TransactionBoundary {
    /// Counts the transaction's events of each watched table.
    pub fn counts<'a>(
        &'a self,
        watched: impl Fn(&str) -> bool + 'a,
    ) -> impl Iterator<Item = (&'a str, u64)> {
        let all = self.data_collections.iter().flatten();
        all.filter(move |c| watched(&c.data_collection))
            .map(|c| (c.data_collection.as_str(), c.event_count))
    }
}

/// A message of the schema topic.
#[derive(Debug, Deserialize)]
pub struct SchemaChange {
    #[serde(rename = "databaseName", default)]
    pub database: Option<String>,
    #[serde(default)]
    pub ddl: Option<String>,
    source: EnvelopeSource,
}

#[derive(Debug, Deserialize)]
pub struct EnvelopeSource {
    #[serde(default)]
    snapshot: Option<String>,
    #[serde(default)]
    pub gtid: Option<String>,
    /// Server, binlog, the change's event in it, and its row in that event. Databases without
    /// a binlog may say something else here.
    #[serde(default)]
    server_id: Option<Json>,
    #[serde(default)]
    file: Option<Json>,
    #[serde(default)]
    pos: Option<Json>,
    #[serde(default)]
    row: Option<Json>,
}

impl EnvelopeSource {
    /// Position of the change's event and its row there, if the feed names them.
    pub fn binlog(&self) -> Option<(u64, u64)> {
        Some((self.pos.as_ref()?.as_u64()?, self.row.as_ref()?.as_u64()?))
    }

    /// Server and file that positions are of, if the feed names them.
    pub fn binlog_file(&self) -> Option<String> {
        let file = self.file.as_ref()?.as_str()?;
        Some(format!("{file} of server {}", self.server_id.as_ref()?))
    }
}

impl SchemaChange {
    /// The GTID of the statement's own transaction.
    pub fn gtid(&self) -> Option<String> {
        self.source.gtid.clone()
    }

    /// Whether it was told when the connector first looked at the tables: nothing was done.
    pub fn is_first_look(&self) -> bool {
        self.source
            .snapshot
            .as_deref()
            .is_some_and(|snapshot| snapshot != "false")
    }
}

/// Parses JSON with or without its schema around it.
pub fn parse<T: for<'a> Deserialize<'a>>(payload: &[u8]) -> anyhow::Result<T> {
    let json: Json =
        serde_json::from_slice(payload).context("not JSON; Avro and Protobuf are not read")?;
    let inner = match json {
        Json::Object(mut with)
            if with.len() == 2 && with.contains_key("schema") && with.contains_key("payload") =>
        {
            with.remove("payload").unwrap_or_default()
        }
        other => other,
    };
    serde_json::from_value(inner).context("not in Debezium's envelope")
}
