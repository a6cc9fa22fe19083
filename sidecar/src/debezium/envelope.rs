//! One message of the feed, read strictly: what can't be understood is an error,
//! and the feed stops before it.

use crate::rules::text::tables::{self, ColumnKind};
use crate::stream::batches::ControlRow;
use crate::stream::change::{ChangeOp, ColumnValue, RowChange, RowImage, TableSchema};
use crate::stream::control_rows::ControlColumns;
use ahash::AHashMap;
use anyhow::{Context, bail};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

type EnvelopeColumns = BTreeMap<String, Json>;

/// A message about a row.
#[derive(Debug)]
pub enum EnvelopeRow {
    Change {
        /// Its transaction, and its place in it from 1 on.
        transaction: String,
        order: u64,
        change: RowChange,
        control_row: Option<ControlRow>,
    },
    /// The table was emptied, by the transaction of this GTID; no rows tell which went.
    Truncated { gtid: Option<String> },
    /// What the connector says besides: a row as it was when the connector first
    /// started, or the tombstone behind a delete. Not a change.
    Passed,
}

#[derive(Deserialize)]
struct ChangeEnvelope {
    op: String,
    before: Option<EnvelopeColumns>,
    after: Option<EnvelopeColumns>,
    transaction: Option<TransactionBlock>,
    source: Option<EnvelopeSource>,
}

#[derive(Deserialize)]
struct TransactionBlock {
    id: String,
    total_order: u64,
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
    /// How many events of each watched table the transaction has.
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
struct EnvelopeSource {
    #[serde(default)]
    snapshot: Option<String>,
    #[serde(default)]
    gtid: Option<String>,
}

impl SchemaChange {
    /// Its own transaction's.
    pub fn gtid(&self) -> Option<String> {
        self.source.gtid.clone()
    }

    /// Told when the connector first looked at the tables: nothing was done.
    pub fn is_first_look(&self) -> bool {
        self.source
            .snapshot
            .as_deref()
            .is_some_and(|snapshot| snapshot != "false")
    }
}

/// JSON with or without its schema around it.
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

/// Reads rows. Tables are shared by all rows that have the same columns.
#[derive(Default)]
pub struct EnvelopeReader {
    tables: AHashMap<&'static str, Arc<TableSchema>>,
}

impl EnvelopeReader {
    /// A message about a row of the watched table `name`; `None` is a tombstone.
    pub fn read(
        &mut self,
        name: &'static str,
        payload: Option<&[u8]>,
    ) -> anyhow::Result<EnvelopeRow> {
        let Some(payload) = payload else {
            return Ok(EnvelopeRow::Passed);
        };
        let envelope: ChangeEnvelope = parse(payload)?;
        let op = match envelope.op.as_str() {
            "c" => ChangeOp::Insert,
            "u" => ChangeOp::Update,
            "d" => ChangeOp::Delete,
            "r" => return Ok(EnvelopeRow::Passed),
            "t" => {
                return Ok(EnvelopeRow::Truncated {
                    gtid: envelope.source.and_then(|source| source.gtid),
                });
            }
            other => bail!("operation {other:?} of table {name} is unknown"),
        };
        let (before, after) = match (op, &envelope.before, &envelope.after) {
            (ChangeOp::Insert, None, Some(after)) => (None, Some(after)),
            (ChangeOp::Update, Some(before), Some(after)) => (Some(before), Some(after)),
            (ChangeOp::Delete, Some(before), None) => (Some(before), None),
            _ => bail!(
                "a {op:?} of table {name} lacks an image of its row; set binlog_row_image = FULL"
            ),
        };
        let Some(within) = envelope.transaction else {
            bail!(
                "a change of table {name} names no transaction; set the connector's provide.transaction.metadata"
            )
        };
        let Some(columns) = after.or(before) else {
            bail!("a change of table {name} has no row")
        };
        let table = self.table(name, columns);
        let read = |columns: Option<&EnvelopeColumns>| {
            columns.map(|columns| image(&table, columns)).transpose()
        };
        let change = RowChange {
            op,
            before: read(before)?,
            after: read(after)?,
            table: Arc::clone(&table),
        };
        let control_row = ControlColumns::of(&table)?.row(&change)?;
        Ok(EnvelopeRow::Change {
            transaction: within.id,
            order: within.total_order,
            change,
            control_row,
        })
    }

    fn table(&mut self, name: &'static str, columns: &EnvelopeColumns) -> Arc<TableSchema> {
        let known = self.tables.get(name);
        if let Some(table) = known.filter(|table| table.columns.iter().eq(columns.keys())) {
            return Arc::clone(table);
        }
        let table = Arc::new(TableSchema {
            name: name.to_owned(),
            columns: columns.keys().cloned().collect(),
        });
        self.tables.insert(name, Arc::clone(&table));
        table
    }
}

fn image(table: &TableSchema, columns: &EnvelopeColumns) -> anyhow::Result<RowImage> {
    if !table.columns.iter().eq(columns.keys()) {
        bail!(
            "a row of table {} has other columns before than after",
            table.name
        );
    }
    let known = tables::find(&table.name).map(|at| tables::CATALOG_TABLES[at].columns);
    let value = |(column, json): (&String, &Json)| {
        let kind = known
            .and_then(|all| all.iter().find(|(name, _)| name == column))
            .map(|(_, kind)| *kind);
        value(kind, json).with_context(|| format!("column {} of table {}", column, table.name))
    };
    Ok(columns
        .iter()
        .map(value)
        .collect::<anyhow::Result<Vec<_>>>()?
        .into_boxed_slice())
}

fn value(kind: Option<ColumnKind>, json: &Json) -> anyhow::Result<ColumnValue> {
    Ok(match (kind, json) {
        (_, Json::Null) => ColumnValue::Null,
        (Some(ColumnKind::Money), Json::String(text)) => ColumnValue::Dec(amount(text)?),
        (Some(ColumnKind::Money), _) => {
            bail!("an amount came as a number; set the connector's decimal.handling.mode = string")
        }
        (Some(ColumnKind::Int) | None, Json::Bool(flag)) => ColumnValue::Int(i64::from(*flag)),
        (Some(ColumnKind::Int), Json::Number(number)) => ColumnValue::Int(
            number
                .as_i64()
                .with_context(|| format!("{number} is no whole number"))?,
        ),
        (Some(ColumnKind::Text) | None, Json::String(text)) => {
            ColumnValue::Text(text.as_str().into())
        }
        (None, Json::Number(number)) => number
            .as_i64()
            .map_or(ColumnValue::Opaque, ColumnValue::Int),
        (None, _) => ColumnValue::Opaque,
        (Some(ColumnKind::Int), _) => bail!("a whole number came as something else"),
        (Some(ColumnKind::Text), _) => bail!("text came as something else"),
    })
}

/// With its point: the feed's other notation of decimals is base64, in which `1234`
/// is a number of another size.
fn amount(text: &str) -> anyhow::Result<Decimal> {
    if !text.contains('.') {
        bail!(
            "an amount came without its decimals; set the connector's decimal.handling.mode = string"
        );
    }
    Decimal::from_str_exact(text).context("not an exact decimal")
}
