//! Values of a case, as people write them.

use crate::rules::text::tables::{CatalogTable, ColumnKind};
use crate::stream::change::{ColumnValue, RowImage};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Values by the name of their column or field.
pub type CaseValues = BTreeMap<String, toml::Value>;

/// An image of which a case says nothing.
pub fn empty_image(known: &CatalogTable) -> RowImage {
    let columns = known.columns.iter();
    columns.map(|(column, _)| by_default(column)).collect()
}

/// The value of a column that a case leaves out: the migrations' own defaults.
fn by_default(column: &str) -> ColumnValue {
    match column {
        "intermediate" | "intermediate_reserved" => ColumnValue::Dec(Decimal::ZERO),
        "event_time_us" => ColumnValue::Int(0),
        _ => ColumnValue::Null,
    }
}

/// Fills `image` with the values that are written.
pub fn fill(
    known: &CatalogTable,
    mut image: RowImage,
    values: &CaseValues,
) -> Result<RowImage, String> {
    for (column, written) in values {
        let at = known.columns.iter().position(|(c, _)| c == column);
        let at = at.ok_or_else(|| {
            format!(
                "{column:?} is not a column of {}: {}",
                known.name,
                known.column_names()
            )
        })?;
        image[at] = match (known.columns[at].1, written) {
            (ColumnKind::Money, toml::Value::String(text)) => ColumnValue::Dec(amount(text)?),
            (ColumnKind::Int, toml::Value::Integer(number)) => ColumnValue::Int(*number),
            (ColumnKind::Text, toml::Value::String(text)) => {
                ColumnValue::Text(text.as_str().into())
            }
            (kind, _) => {
                return Err(format!(
                    "{}.{column} is {kind:?}; amounts and texts are written in quotes",
                    known.name
                ));
            }
        };
    }
    Ok(image)
}

/// An exact amount.
pub fn amount(text: &str) -> Result<Decimal, String> {
    Decimal::from_str_exact(text).map_err(|e| format!("{text:?} is not an amount: {e}"))
}
