//! Format of a configuration's file: its tables, before they are rows.

use crate::routing::configuration::file_value::RoutingFileValue;
use crate::routing::rows::ANY_KEY;
use crate::routing::{LimitScope, NoRouteAction};
use serde::{Deserialize, Serialize};
use sluice_contract::money::Currency;
use std::collections::BTreeMap;
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoutingFile {
    #[serde(default)]
    pub no_route: NoRouteAction,
    #[serde(default, rename = "channel")]
    pub channels: Vec<Spanned<RoutingFileChannel>>,
    #[serde(default, rename = "rule")]
    pub rules: Vec<Spanned<RoutingFileRule>>,
    #[serde(default, rename = "limit")]
    pub limits: Vec<Spanned<RoutingFileLimit>>,
}

#[derive(Debug, Serialize)]
pub(super) struct WrittenRoutingFile {
    pub no_route: NoRouteAction,
    #[serde(rename = "channel")]
    pub channels: Vec<RoutingFileChannel>,
    #[serde(rename = "rule")]
    pub rules: Vec<RoutingFileRule>,
    #[serde(rename = "limit")]
    pub limits: Vec<RoutingFileLimit>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoutingFileChannel {
    pub id: String,
    pub priority: i64,
    #[serde(default = "one")]
    pub weight: i64,
    #[serde(default)]
    pub paused: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoutingFileRule {
    pub id: String,
    pub condition: String,
    pub message: String,
    pub otherwise: Option<NoRouteAction>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, BTreeMap<String, RoutingFileValue>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoutingFileLimit {
    pub scope: LimitScope,
    #[serde(default = "any")]
    pub key: String,
    #[serde(default = "any")]
    pub channel: String,
    pub currency: Currency,
    pub single: Option<RoutingFileValue>,
    pub day: Option<RoutingFileValue>,
    pub month: Option<RoutingFileValue>,
    pub otherwise: Option<NoRouteAction>,
}

fn one() -> i64 {
    1
}
fn any() -> String {
    ANY_KEY.to_owned()
}
