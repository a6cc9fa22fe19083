//! Values of a configuration's file. There are no floats: 0.1 isn't 0.1 there.

use crate::routing::rows::RoutingDetailValue;
use anyhow::Context;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// A value of the file. A number with decimals is written
/// `{ number = "0.10" }`, or as a text where only an amount can stand.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(super) enum RoutingFileValue {
    Int(i64),
    Text(String),
    List(Vec<String>),
    Number { number: String },
}

fn decimal(text: &str) -> anyhow::Result<Decimal> {
    Decimal::from_str_exact(text)
        .with_context(|| format!("{text:?} is not a number such as \"123.45\""))
}

impl<'de> Deserialize<'de> for RoutingFileValue {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match toml::Value::deserialize(from)? {
            toml::Value::Integer(number) => Ok(RoutingFileValue::Int(number)),
            toml::Value::String(text) => Ok(RoutingFileValue::Text(text)),
            list @ toml::Value::Array(_) => list
                .try_into()
                .map(RoutingFileValue::List)
                .map_err(D::Error::custom),
            toml::Value::Table(mut table) => match (table.remove("number"), table.is_empty()) {
                (Some(toml::Value::String(number)), true) => {
                    Ok(RoutingFileValue::Number { number })
                }
                (Some(_) | None, _) => Err(D::Error::custom(
                    "a number with decimals is written { number = \"1.50\" }",
                )),
            },
            other => Err(D::Error::custom(format!(
                "{other}: no {} here; write a whole number, a text, a list of texts, or {{ number = \"1.50\" }}",
                other.type_str()
            ))),
        }
    }
}

impl RoutingFileValue {
    /// Reads it as a detail.
    pub fn detail(self) -> anyhow::Result<RoutingDetailValue> {
        Ok(match self {
            RoutingFileValue::Int(number) => RoutingDetailValue::Number(number.into()),
            RoutingFileValue::Number { number } => RoutingDetailValue::Number(decimal(&number)?),
            RoutingFileValue::Text(text) => RoutingDetailValue::Text(text),
            RoutingFileValue::List(list) => RoutingDetailValue::List(list),
        })
    }

    /// Reads it as an amount.
    pub fn amount(self) -> anyhow::Result<Decimal> {
        match self {
            RoutingFileValue::Int(number) => Ok(number.into()),
            RoutingFileValue::Text(number) | RoutingFileValue::Number { number } => {
                decimal(&number)
            }
            RoutingFileValue::List(_) => anyhow::bail!("an amount is one number"),
        }
    }

    /// Writes a detail.
    pub fn of(value: &RoutingDetailValue) -> Self {
        match value {
            RoutingDetailValue::Text(text) => RoutingFileValue::Text(text.clone()),
            RoutingDetailValue::List(list) => RoutingFileValue::List(list.clone()),
            RoutingDetailValue::Number(number) => RoutingFileValue::of_number(*number),
        }
    }

    /// Writes a number.
    pub fn of_number(number: Decimal) -> Self {
        match i64::try_from(number) {
            Ok(whole) if Decimal::from(whole) == number => RoutingFileValue::Int(whole),
            Ok(_) | Err(_) => RoutingFileValue::Number {
                number: number.to_string(),
            },
        }
    }
}
