//! Which tables are watched, and what the table map says about them now.

use crate::binlog::row_image::{self, ColumnFormat};
use crate::binlog::sql_tokens::is_part;
use crate::stream::batches::{ControlRow, FenceToken};
use crate::stream::change::{ColumnValue, RowChange, RowImage, TableSchema};
use ahash::AHashMap;
use mysql_async::binlog::events::TableMapEvent;
use sluice_contract::schema::Schemas;
use std::sync::Arc;

/// Table ids remembered; each DDL makes a new one, so the memory is bounded by
/// forgetting all of them, which costs one parse each.
const MAX_TABLE_IDS: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ControlColumns {
    Nothing,
    FenceToken {
        instance: usize,
        token: usize,
        updated_us: usize,
    },
    Checkpoint {
        updated_us: usize,
    },
}

/// A watched table: how its rows are read.
#[derive(Debug)]
pub struct TableReadPlan {
    pub table: Arc<TableSchema>,
    pub columns: Vec<ColumnFormat>,
    own: ControlColumns,
}

struct KnownTableMap {
    body: Vec<u8>,
    plan: Option<Arc<TableReadPlan>>,
}

/// The watched tables of one stream.
pub struct WatchedTables {
    names: AHashMap<(String, String), &'static str>,
    schemas: Vec<String>,
    known: AHashMap<u64, KnownTableMap>,
}

impl WatchedTables {
    pub fn new(schemas: &Schemas) -> Self {
        WatchedTables::of(schemas, |_| true)
    }

    /// Of those schemas alone whose logical name (`balance`) is `here`.
    pub fn of(schemas: &Schemas, here: impl Fn(&str) -> bool) -> Self {
        let here: Vec<&str> = schemas
            .each()
            .into_iter()
            .filter(|(logical, _)| here(logical))
            .map(|(_, name)| name)
            .collect();
        let tables = tables(schemas)
            .into_iter()
            .filter(|((schema, _), _)| here.contains(&schema.as_str()));
        WatchedTables {
            names: tables.collect(),
            schemas: here.iter().map(|name| (*name).to_owned()).collect(),
            known: AHashMap::new(),
        }
    }

    /// Whether a statement of this default schema may touch a watched schema: it is in one,
    /// or names one as a whole word.
    pub fn concerns(&self, schema: &str, statement: &str) -> bool {
        let mut words = statement.split(|c: char| !is_part(c));
        self.is_schema(schema) || words.any(|word| self.is_schema(word))
    }

    /// Whether a schema of this name has watched tables.
    pub fn is_schema(&self, name: &str) -> bool {
        self.schemas
            .iter()
            .any(|schema| schema.eq_ignore_ascii_case(name))
    }

    /// Whether this table is watched. Without a schema: whether one of this name is.
    pub fn watches(&self, schema: &str, table: &str) -> bool {
        let here = |known: &String| schema.is_empty() || known.eq_ignore_ascii_case(schema);
        self.names
            .keys()
            .any(|(known, name)| name.eq_ignore_ascii_case(table) && here(known))
    }

    /// The watched tables that a statement names, in the order of their names.
    pub fn named(&self, statement: &str) -> Vec<&'static str> {
        let statement = statement.to_ascii_lowercase();
        let words: Vec<&str> = statement
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .collect();
        let mut named: Vec<&'static str> = self
            .names
            .values()
            .copied()
            .filter(|name| words.contains(name))
            .collect();
        named.sort_unstable();
        named.dedup();
        named
    }

    /// Learns a table map. `body` is the event's; an unchanged one is not parsed again.
    pub fn learn(
        &mut self,
        body: &[u8],
        parse: impl FnOnce() -> std::io::Result<TableMapEvent<'static>>,
    ) -> anyhow::Result<()> {
        let id = body
            .get(..6)
            .map(|id| id.iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte)));
        let id = id.ok_or_else(|| anyhow::anyhow!("a table map is cut short"))?;
        if self.known.get(&id).is_some_and(|known| known.body == body) {
            return Ok(());
        }
        if self.known.len() >= MAX_TABLE_IDS {
            self.known.clear();
        }
        let map = parse()?;
        let key = (
            map.database_name().into_owned(),
            map.table_name().into_owned(),
        );
        let plan = match self.names.get(&key) {
            Some(name) => {
                let plan = plan(name, &map)
                    .map_err(|e| e.context(format!("table {}.{}", key.0, key.1)))?;
                Some(Arc::new(plan))
            }
            None => None,
        };
        self.known.insert(
            id,
            KnownTableMap {
                body: body.to_vec(),
                plan,
            },
        );
        Ok(())
    }

    /// How rows of this table id are read: `Some(None)` if nobody watches it, `None`
    /// if no table map came before.
    pub fn plan(&self, table_id: u64) -> Option<Option<Arc<TableReadPlan>>> {
        self.known.get(&table_id).map(|known| known.plan.clone())
    }
}

/// Every watched table: its schema and name there, and its logical name.
pub fn tables(schemas: &Schemas) -> [((String, String), &'static str); 12] {
    let tables = [
        (&schemas.orders, "orders"),
        (&schemas.orders, "attempt"),
        (&schemas.orders, "outbox"),
        (&schemas.orders, "cases"),
        (&schemas.balance, "balance"),
        (&schemas.balance, "capture"),
        (&schemas.ledger, "entry"),
        // Written there if the services are apart and one of them is here.
        (&schemas.balance, "outbox"),
        (&schemas.ledger, "outbox"),
        (&schemas.guard, "fence_token"),
        (&schemas.guard, "checkpoint"),
        (&schemas.guard, "breaker"),
    ];
    tables.map(|(schema, table)| ((schema.clone(), table.to_owned()), table))
}

fn plan(name: &str, map: &TableMapEvent<'_>) -> anyhow::Result<TableReadPlan> {
    let (names, columns) = row_image::columns(map)?;
    let table = TableSchema {
        name: name.to_owned(),
        columns: names,
    };
    let at = |column: &str| {
        table
            .column(column)
            .ok_or_else(|| anyhow::anyhow!("column {column} is missing; run the migrations"))
    };
    let own = match name {
        "fence_token" => ControlColumns::FenceToken {
            instance: at("instance")?,
            token: at("token")?,
            updated_us: at("updated_us")?,
        },
        "checkpoint" => ControlColumns::Checkpoint {
            updated_us: at("updated_us")?,
        },
        _ => ControlColumns::Nothing,
    };
    Ok(TableReadPlan {
        table: Arc::new(table),
        columns,
        own,
    })
}

impl TableReadPlan {
    pub fn image(&self, data: &mut &[u8]) -> anyhow::Result<RowImage> {
        row_image::image(&self.columns, data).ok_or_else(|| {
            anyhow::anyhow!(
                "a row of table {} does not fit its table map",
                self.table.name
            )
        })
    }

    /// What this change tells the sidecar itself.
    pub fn control_row(&self, change: &RowChange) -> Option<ControlRow> {
        if self.own == ControlColumns::Nothing {
            return None;
        }
        let after = change.after.as_ref()?;
        let int = |at: usize| match after.get(at) {
            Some(ColumnValue::Int(number)) => Some(*number),
            _ => None,
        };
        match self.own {
            ControlColumns::Nothing => None,
            ControlColumns::Checkpoint { updated_us } => Some(ControlRow::Heartbeat {
                updated_us: int(updated_us)?,
            }),
            ControlColumns::FenceToken {
                instance,
                token,
                updated_us,
            } => {
                let Some(ColumnValue::Text(instance)) = after.get(instance) else {
                    return None;
                };
                Some(ControlRow::Token(FenceToken {
                    instance: instance.to_string(),
                    token: u64::try_from(int(token)?).ok()?,
                    updated_us: int(updated_us)?,
                }))
            }
        }
    }
}
