//! Settings of a rule's header beside its trigger: its own parameters, how many
//! findings it expects, and how much it may stop.

use rhai::{Array, Dynamic, ImmutableString};
use rust_decimal::Decimal;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// One value of `[params]`. A text that is an exact decimal is an amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleParam {
    Amount(Decimal),
    Number(i64),
    Text(String),
    List(Vec<String>),
}

pub type RuleParams = BTreeMap<String, RuleParam>;

/// The budget of a rule: how much it may do before it is demoted to `alert` and somebody is
/// paged, so
/// that a bad rule can't stop the business.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleBudget {
    /// Breakers that it opens in an hour.
    pub trips_per_hour: u32,
    /// Inputs in an hour on which it fails to decide.
    pub errors_per_hour: u32,
    /// Of all accounts; some accounts are always within it.
    pub accounts_percent: u32,
    /// Most money on the accounts that it stops within an hour, of any one currency.
    #[serde(deserialize_with = "exact")]
    pub amount: Option<Decimal>,
}

impl Default for RuleBudget {
    fn default() -> Self {
        RuleBudget {
            trips_per_hour: 50,
            errors_per_hour: 100,
            accounts_percent: 5,
            amount: None,
        }
    }
}

fn exact<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Decimal>, D::Error> {
    let text = String::deserialize(from)?;
    let amount = Decimal::from_str_exact(&text)
        .map_err(|e| serde::de::Error::custom(format!("{text:?}: {e}")))?;
    if amount.is_sign_negative() {
        return Err(serde::de::Error::custom(format!("{text:?} is below zero")));
    }
    Ok(Some(amount))
}

impl RuleBudget {
    pub fn check(&self) -> Result<(), String> {
        match self.accounts_percent {
            1..=100 => Ok(()),
            other => Err(format!(
                "budget.accounts_percent = {other} must be from 1 to 100"
            )),
        }
    }
}

/// Reads `[params]`.
pub fn parse(written: BTreeMap<String, toml::Value>) -> Result<RuleParams, String> {
    let one = |(name, value): (String, toml::Value)| {
        let param = match value {
            toml::Value::Integer(number) => RuleParam::Number(number),
            toml::Value::String(text) => {
                Decimal::from_str_exact(&text).map_or(RuleParam::Text(text), RuleParam::Amount)
            }
            toml::Value::Array(list) => RuleParam::List(texts(&name, list)?),
            other => {
                let kind = other.type_str();
                return Err(format!(
                    "params.{name} is a {kind}; write texts, whole numbers, amounts in quotes, or lists of texts"
                ));
            }
        };
        Ok((name, param))
    };
    written.into_iter().map(one).collect()
}

fn texts(name: &str, list: Vec<toml::Value>) -> Result<Vec<String>, String> {
    let text = |value: toml::Value| match value {
        toml::Value::String(text) => Ok(text),
        other => Err(format!(
            "params.{name} has a {} in its list, which holds texts only",
            other.type_str()
        )),
    };
    list.into_iter().map(text).collect()
}

impl RuleParam {
    pub fn to_dynamic(&self) -> Dynamic {
        match self {
            RuleParam::Amount(amount) => (*amount).into(),
            RuleParam::Number(number) => (*number).into(),
            RuleParam::Text(text) => ImmutableString::from(text.as_str()).into(),
            RuleParam::List(list) => list
                .iter()
                .map(|t| Dynamic::from(ImmutableString::from(t.as_str())))
                .collect::<Array>()
                .into(),
        }
    }
}

impl fmt::Display for RuleParam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RuleParam::Amount(amount) => write!(f, "{amount}"),
            RuleParam::Number(number) => write!(f, "{number}"),
            RuleParam::Text(text) => write!(f, "{text}"),
            RuleParam::List(list) => write!(f, "{}", list.join(", ")),
        }
    }
}
