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
