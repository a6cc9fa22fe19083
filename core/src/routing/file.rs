//! A configuration as a file (TOML): `[[channel]]`, `[[rule]]` with its details per
//! channel, `[[limit]]`, `no_route`. What it looks like: docs/routing.example.toml.

use super::draft::{ANY, ChannelRow, DetailRow, DetailValue, Draft, LimitRow, RuleRow};
use super::{Otherwise, Problem, Scope};
use anyhow::Context;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sluice_contract::money::Currency;
use std::collections::{BTreeMap, HashMap};
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    no_route: Otherwise,
    #[serde(default, rename = "channel")]
    channels: Vec<Spanned<Channel>>,
    #[serde(default, rename = "rule")]
    rules: Vec<Spanned<Rule>>,
    #[serde(default, rename = "limit")]
    limits: Vec<Spanned<Limit>>,
}

#[derive(Debug, Serialize)]
struct Written {
    no_route: Otherwise,
    #[serde(rename = "channel")]
    channels: Vec<Channel>,
    #[serde(rename = "rule")]
    rules: Vec<Rule>,
    #[serde(rename = "limit")]
    limits: Vec<Limit>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Channel {
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
struct Rule {
    id: String,
    condition: String,
    message: String,
    otherwise: Option<Otherwise>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    details: BTreeMap<String, BTreeMap<String, Value>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    scope: Scope,
    #[serde(default = "any")]
    key: String,
    #[serde(default = "any")]
    channel: String,
    currency: Currency,
    single: Option<Value>,
    day: Option<Value>,
    month: Option<Value>,
    otherwise: Option<Otherwise>,
}

/// No floats: 0.1 isn't 0.1 there. A number with decimals is written
/// `{ number = "0.10" }`, or as a text where only an amount can stand.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Value {
    Int(i64),
    Text(String),
    List(Vec<String>),
    Number { number: String },
}

fn one() -> i64 {
    1
}
fn any() -> String {
    ANY.to_owned()
}

/// In which line each place of a problem begins.
pub type Lines = HashMap<String, usize>;

/// Reads a file.
///
/// # Errors
/// Everything that can't be read, with its line.
pub fn parse(text: &str) -> Result<(Draft, Lines), Vec<Problem>> {
    let file: File =
        toml::from_str(text).map_err(|e| vec![Problem::new("file", e.to_string().trim_end())])?;
    let mut lines = Lines::new();
    let mut note = |place: &str, start: usize| {
        lines
            .entry(place.to_owned())
            .or_insert(1 + text[..start.min(text.len())].matches('\n').count());
    };
    let mut problems = Vec::new();
    let mut draft = Draft {
        no_route: file.no_route,
        ..Draft::default()
    };
    for entry in file.channels {
        note(
            &format!("channel {}", entry.get_ref().id),
            entry.span().start,
        );
        let Channel {
            id,
            priority,
            weight,
            paused,
            note,
        } = entry.into_inner();
        draft.channels.push(ChannelRow {
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
            Err(error) => problems.push(Problem::new(&place, format!("{error:#}"))),
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
                problems.push(Problem::new("limit", format!("{error:#}")));
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

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match toml::Value::deserialize(from)? {
            toml::Value::Integer(number) => Ok(Value::Int(number)),
            toml::Value::String(text) => Ok(Value::Text(text)),
            list @ toml::Value::Array(_) => {
                list.try_into().map(Value::List).map_err(D::Error::custom)
            }
            toml::Value::Table(mut table) => match (table.remove("number"), table.is_empty()) {
                (Some(toml::Value::String(number)), true) => Ok(Value::Number { number }),
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

impl Value {
    fn detail(self) -> anyhow::Result<DetailValue> {
        Ok(match self {
            Value::Int(number) => DetailValue::Number(number.into()),
            Value::Number { number } => DetailValue::Number(decimal(&number)?),
            Value::Text(text) => DetailValue::Text(text),
            Value::List(list) => DetailValue::List(list),
        })
    }

    fn amount(self) -> anyhow::Result<Decimal> {
        match self {
            Value::Int(number) => Ok(number.into()),
            Value::Text(number) | Value::Number { number } => decimal(&number),
            Value::List(_) => anyhow::bail!("an amount is one number"),
        }
    }

    fn of(value: &DetailValue) -> Self {
        match value {
            DetailValue::Text(text) => Value::Text(text.clone()),
            DetailValue::List(list) => Value::List(list.clone()),
            DetailValue::Number(number) => Value::of_number(*number),
        }
    }

    fn of_number(number: Decimal) -> Self {
        match i64::try_from(number) {
            Ok(whole) if Decimal::from(whole) == number => Value::Int(whole),
            _ => Value::Number {
                number: number.to_string(),
            },
        }
    }
}

impl Rule {
    fn row(self, no_route: Otherwise) -> anyhow::Result<RuleRow> {
        let mut details = Vec::new();
        for (channel, values) in self.details {
            for (name, value) in values {
                let value = value
                    .detail()
                    .with_context(|| format!("detail {name} of {channel}"))?;
                details.push(DetailRow {
                    channel: channel.clone(),
                    name,
                    value,
                });
            }
        }
        Ok(RuleRow {
            rule: self.id,
            condition: self.condition,
            message: self.message,
            otherwise: self.otherwise.unwrap_or(no_route),
            details,
        })
    }
}

impl Limit {
    fn row(self, no_route: Otherwise) -> anyhow::Result<LimitRow> {
        let amount = |name: &str, value: Option<Value>| -> anyhow::Result<Option<Decimal>> {
            value
                .map(Value::amount)
                .transpose()
                .with_context(|| name.to_owned())
        };
        Ok(LimitRow {
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
pub fn write(draft: &Draft) -> anyhow::Result<String> {
    let channel = |c: &ChannelRow| Channel {
        id: c.channel.clone(),
        priority: c.priority,
        weight: c.weight,
        paused: c.paused,
        note: c.note.clone(),
    };
    let rule = |r: &RuleRow| {
        let mut details: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
        for d in &r.details {
            details
                .entry(d.channel.clone())
                .or_default()
                .insert(d.name.clone(), Value::of(&d.value));
        }
        let (id, condition, message) = (r.rule.clone(), r.condition.clone(), r.message.clone());
        Rule {
            id,
            condition,
            message,
            otherwise: Some(r.otherwise),
            details,
        }
    };
    let limit = |l: &LimitRow| Limit {
        scope: l.scope,
        key: l.key.clone(),
        channel: l.channel.clone(),
        currency: l.currency,
        single: l.single.map(Value::of_number),
        day: l.day.map(Value::of_number),
        month: l.month.map(Value::of_number),
        otherwise: Some(l.otherwise),
    };
    Ok(toml::to_string(&Written {
        no_route: draft.no_route,
        channels: draft.channels.iter().map(channel).collect(),
        rules: draft.rules.iter().map(rule).collect(),
        limits: draft.limits.iter().map(limit).collect(),
    })?)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
