//! Values of a row, by the kinds that rules know of their columns.

use crate::debezium::envelope::messages::EnvelopeColumns;
use crate::rules::text::tables::{self, ColumnKind};
use crate::stream::change::{ColumnValue, RowImage, TableSchema};
use anyhow::{Context, bail};
use rust_decimal::Decimal;
use serde_json::Value as Json;

pub fn image(table: &TableSchema, columns: &EnvelopeColumns) -> anyhow::Result<RowImage> {
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

/// Reads an amount with its point: the feed's other notation of decimals is base64, in which `1234`
/// is a number of another size.
fn amount(text: &str) -> anyhow::Result<Decimal> {
    if !text.contains('.') {
        bail!(
            "an amount came without its decimals; set the connector's decimal.handling.mode = string"
        );
    }
    Decimal::from_str_exact(text).context("not an exact decimal")
}
