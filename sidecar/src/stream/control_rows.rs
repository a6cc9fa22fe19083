//! Control rows, read from the after-image of the row that holds one, whichever source it
//! came by.

use crate::stream::batches::{ControlRow, FenceToken};
use crate::stream::change::{ColumnValue, RowChange, RowImage, TableSchema};
use anyhow::{Context, bail};

/// Columns of a table whose rows are for the sidecar itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlColumns {
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

impl ControlColumns {
    /// Finds the columns of `table` by its logical name.
    ///
    /// # Errors
    /// A control table that lacks one.
    pub fn of(table: &TableSchema) -> anyhow::Result<Self> {
        let at = |column: &str| {
            table
                .column(column)
                .ok_or_else(|| anyhow::anyhow!("column {column} is missing; run the migrations"))
        };
        Ok(match table.name.as_str() {
            "fence_token" => ControlColumns::FenceToken {
                instance: at("instance")?,
                token: at("token")?,
                updated_us: at("updated_us")?,
            },
            "checkpoint" => ControlColumns::Checkpoint {
                updated_us: at("updated_us")?,
            },
            _ => ControlColumns::Nothing,
        })
    }

    /// The control row that `change` is. `None` if its table holds none, or it was deleted.
    ///
    /// # Errors
    /// A value of another kind than its column's.
    pub fn row(&self, change: &RowChange) -> anyhow::Result<Option<ControlRow>> {
        let Some(after) = &change.after else {
            return Ok(None);
        };
        let row = match *self {
            ControlColumns::Nothing => return Ok(None),
            ControlColumns::Checkpoint { updated_us } => ControlRow::Heartbeat {
                updated_us: int(after, updated_us).context("checkpoint.updated_us")?,
            },
            ControlColumns::FenceToken {
                instance,
                token,
                updated_us,
            } => {
                let Some(ColumnValue::Text(instance)) = after.get(instance) else {
                    bail!("fence_token.instance is no text")
                };
                let token = int(after, token).context("fence_token.token")?;
                ControlRow::Token(FenceToken {
                    instance: instance.to_string(),
                    token: u64::try_from(token).context("fence_token.token")?,
                    updated_us: int(after, updated_us).context("fence_token.updated_us")?,
                })
            }
        };
        Ok(Some(row))
    }
}

fn int(after: &RowImage, at: usize) -> anyhow::Result<i64> {
    match after.get(at) {
        Some(ColumnValue::Int(number)) => Ok(*number),
        _ => bail!("no whole number"),
    }
}
