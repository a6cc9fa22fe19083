//! A configuration as a file (TOML): `[[channel]]`, `[[rule]]` with its details per
//! channel, `[[limit]]`, `no_route`. What it looks like: docs/routing.example.toml.

use crate::routing::draft::{
    ANY_KEY, RoutingChannelRow, RoutingDetailRow, RoutingDetailValue, RoutingDraft,
    RoutingLimitRow, RoutingRuleRow,
};
use crate::routing::{LimitScope, NoRouteAction, RoutingProblem};
use anyhow::Context;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sluice_contract::money::Currency;
use std::collections::{BTreeMap, HashMap};
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoutingFile {
    #[serde(default)]
    no_route: NoRouteAction,
    #[serde(default, rename = "channel")]
    channels: Vec<Spanned<RoutingFileChannel>>,
    #[serde(default, rename = "rule")]
    rules: Vec<Spanned<RoutingFileRule>>,
    #[serde(default, rename = "limit")]
    limits: Vec<Spanned<RoutingFileLimit>>,
}

#[derive(Debug, Serialize)]
struct WrittenRoutingFile {
    no_route: NoRouteAction,
    #[serde(rename = "channel")]
    channels: Vec<RoutingFileChannel>,
    #[serde(rename = "rule")]
    rules: Vec<RoutingFileRule>,
    #[serde(rename = "limit")]
    limits: Vec<RoutingFileLimit>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoutingFileChannel {
    id: String,
    priority: i64,
    #[serde(default = "one")]
    weight: i64,
    #[serde(default)]
    paused: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    note: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoutingFileRule {
    id: String,
    condition: String,
    message: String,
    otherwise: Option<NoRouteAction>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    details: BTreeMap<String, BTreeMap<String, RoutingFileValue>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoutingFileLimit {
    scope: LimitScope,
    #[serde(default = "any")]
    key: String,
    #[serde(default = "any")]
    channel: String,
    currency: Currency,
    single: Option<RoutingFileValue>,
    day: Option<RoutingFileValue>,
    month: Option<RoutingFileValue>,
    otherwise: Option<NoRouteAction>,
}

/// No floats: 0.1 isn't 0.1 there. A number with decimals is written
/// `{ number = "0.10" }`, or as a text where only an amount can stand.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum RoutingFileValue {
    Int(i64),
    Text(String),
    List(Vec<String>),
    Number { number: String },
}

fn one() -> i64 {
    1
}
fn any() -> String {
    ANY_KEY.to_owned()
}

/// In which line each place of a problem begins.
pub type RoutingLineNumbers = HashMap<String, usize>;

/// Reads a file.
///
/// # Errors
/// Everything that can't be read, with its line.
pub fn parse(text: &str) -> Result<(RoutingDraft, RoutingLineNumbers), Vec<RoutingProblem>> {
    let file: RoutingFile = toml::from_str(text)
        .map_err(|e| vec![RoutingProblem::new("file", e.to_string().trim_end())])?;
    let mut lines = RoutingLineNumbers::new();
    let mut note = |place: &str, start: usize| {
        lines
            .entry(place.to_owned())
            .or_insert(1 + text[..start.min(text.len())].matches('\n').count());
    };
    let mut problems = Vec::new();
    let mut draft = RoutingDraft {
        no_route: file.no_route,
        ..RoutingDraft::default()
    };
    for entry in file.channels {
        note(
            &format!("channel {}", entry.get_ref().id),
            entry.span().start,
        );
        let RoutingFileChannel {
            id,
            priority,
            weight,
            paused,
            note,
        } = entry.into_inner();
        draft.channels.push(RoutingChannelRow {
            channel: id,
            priority,
            weight,
            paused,
            note,
        });
    }
    for entry in file.rules {
        let place = format!("rule {}", entry.get_ref().id);
        note(&place, entry.span().start);
        match entry.into_inner().row(file.no_route) {
            Ok(row) => draft.rules.push(row),
            Err(error) => problems.push(RoutingProblem::new(&place, format!("{error:#}"))),
        }
    }
    for entry in file.limits {
        let start = entry.span().start;
        match entry.into_inner().row(file.no_route) {
            Ok(row) => {
                note(&row.place(), start);
                draft.limits.push(row);
            }
            Err(error) => {
                note("limit", start);
                problems.push(RoutingProblem::new("limit", format!("{error:#}")));
            }
        }
    }
    if problems.is_empty() {
        Ok((draft.canonical(), lines))
    } else {
        Err(problems)
    }
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
                _ => Err(D::Error::custom(
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
    fn detail(self) -> anyhow::Result<RoutingDetailValue> {
        Ok(match self {
            RoutingFileValue::Int(number) => RoutingDetailValue::Number(number.into()),
            RoutingFileValue::Number { number } => RoutingDetailValue::Number(decimal(&number)?),
            RoutingFileValue::Text(text) => RoutingDetailValue::Text(text),
            RoutingFileValue::List(list) => RoutingDetailValue::List(list),
        })
    }

    fn amount(self) -> anyhow::Result<Decimal> {
        match self {
            RoutingFileValue::Int(number) => Ok(number.into()),
            RoutingFileValue::Text(number) | RoutingFileValue::Number { number } => {
                decimal(&number)
            }
            RoutingFileValue::List(_) => anyhow::bail!("an amount is one number"),
        }
    }

    fn of(value: &RoutingDetailValue) -> Self {
        match value {
            RoutingDetailValue::Text(text) => RoutingFileValue::Text(text.clone()),
            RoutingDetailValue::List(list) => RoutingFileValue::List(list.clone()),
            RoutingDetailValue::Number(number) => RoutingFileValue::of_number(*number),
        }
    }

    fn of_number(number: Decimal) -> Self {
        match i64::try_from(number) {
            Ok(whole) if Decimal::from(whole) == number => RoutingFileValue::Int(whole),
            _ => RoutingFileValue::Number {
                number: number.to_string(),
            },
        }
    }
}

impl RoutingFileRule {
    fn row(self, no_route: NoRouteAction) -> anyhow::Result<RoutingRuleRow> {
        let mut details = Vec::new();
        for (channel, values) in self.details {
            for (name, value) in values {
                let value = value
                    .detail()
                    .with_context(|| format!("detail {name} of {channel}"))?;
                details.push(RoutingDetailRow {
                    channel: channel.clone(),
                    name,
                    value,
                });
            }
        }
        Ok(RoutingRuleRow {
            rule: self.id,
            condition: self.condition,
            message: self.message,
            otherwise: self.otherwise.unwrap_or(no_route),
            details,
        })
    }
}

impl RoutingFileLimit {
    fn row(self, no_route: NoRouteAction) -> anyhow::Result<RoutingLimitRow> {
        let amount =
            |name: &str, value: Option<RoutingFileValue>| -> anyhow::Result<Option<Decimal>> {
                value
                    .map(RoutingFileValue::amount)
                    .transpose()
                    .with_context(|| name.to_owned())
            };
        Ok(RoutingLimitRow {
            scope: self.scope,
            key: self.key,
            channel: self.channel,
            currency: self.currency,
            single: amount("single", self.single)?,
            day: amount("day", self.day)?,
            month: amount("month", self.month)?,
            otherwise: self.otherwise.unwrap_or(no_route),
        })
    }
}

/// A configuration as a file that `parse` reads as the same.
pub fn write(draft: &RoutingDraft) -> anyhow::Result<String> {
    let channel = |c: &RoutingChannelRow| RoutingFileChannel {
        id: c.channel.clone(),
        priority: c.priority,
        weight: c.weight,
        paused: c.paused,
        note: c.note.clone(),
    };
    let rule = |r: &RoutingRuleRow| {
        let mut details: BTreeMap<String, BTreeMap<String, RoutingFileValue>> = BTreeMap::new();
        for d in &r.details {
            details
                .entry(d.channel.clone())
                .or_default()
                .insert(d.name.clone(), RoutingFileValue::of(&d.value));
        }
        let (id, condition, message) = (r.rule.clone(), r.condition.clone(), r.message.clone());
        RoutingFileRule {
            id,
            condition,
            message,
            otherwise: Some(r.otherwise),
            details,
        }
    };
    let limit = |l: &RoutingLimitRow| RoutingFileLimit {
        scope: l.scope,
        key: l.key.clone(),
        channel: l.channel.clone(),
        currency: l.currency,
        single: l.single.map(RoutingFileValue::of_number),
        day: l.day.map(RoutingFileValue::of_number),
        month: l.month.map(RoutingFileValue::of_number),
        otherwise: Some(l.otherwise),
    };
    Ok(toml::to_string(&WrittenRoutingFile {
        no_route: draft.no_route,
        channels: draft.channels.iter().map(channel).collect(),
        rules: draft.rules.iter().map(rule).collect(),
        limits: draft.limits.iter().map(limit).collect(),
    })?)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
