//! Routing: which channel takes an order, and why the others don't (seed 002 §4.4).
//! Rules and the details that fill them are tables; a change is a new version. The
//! claim asks `ActiveRouting::current` in its own transaction, `choose` decides, and
//! `totals` holds the cumulative limits to the cent.

pub mod active;
pub mod change;
pub mod choose;
pub mod conditions;
pub mod draft;
pub mod file;
pub mod limits;
pub mod repo;
pub mod set;
pub mod totals;
pub mod windows;

pub use crate::routing::active::{ActiveRouting, UnusableRouting};
pub use crate::routing::choose::{ChannelStatus, RouteDecision, choose};
pub use crate::routing::draft::RoutingDraft;
pub use crate::routing::set::RoutingSet;

use serde::{Deserialize, Serialize};
use sluice_contract::string_enum;
use std::fmt;

string_enum! {
    /// What becomes of an order that nothing but this rejects.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub enum NoRouteAction("otherwise") {
        /// It waits: tomorrow, or after a change, it may go.
        #[default]
        Wait = "wait",
        /// It fails and its money is released: waiting would not help.
        Fail = "fail",
    }
}

string_enum! {
    /// Whose payments are counted together. In the order of the table's key: totals are
    /// locked in this order.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum LimitScope("a limit's scope") {
        Account = "account",
        /// The calling client.
        Business = "business",
        Channel = "channel",
        User = "user",
    }
}

/// How an order's channel was chosen, as it stays with the order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Route {
    /// The configuration that decided; 0 is "none: the settings file's order".
    pub version: i64,
    pub chosen: Option<String>,
    pub rejected: Vec<RejectedChannel>,
    /// Its caller asked for this very channel: it is never switched to another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wished: bool,
    /// Channels that declined it for themselves alone, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<String>,
    /// Those of them that later said that they had paid it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recanted: Vec<String>,
}

/// A channel that did not take it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedChannel {
    pub channel: String,
    /// `pause`, `breaker …`, `rule …`, `limit …`, `configuration`, or `channel`: it
    /// declined the order itself.
    pub by: String,
    pub reason: String,
}

impl RejectedChannel {
    fn by_channel(channel: &str, reason: &str) -> Self {
        RejectedChannel {
            channel: channel.to_owned(),
            by: "channel".to_owned(),
            reason: reason.to_owned(),
        }
    }
}

impl Route {
    pub fn read(json: Option<&str>) -> Option<Route> {
        serde_json::from_str(json?).ok()
    }

    /// Whether a channel that had declined it later said that it had paid it.
    pub fn has_reversed_decline(json: Option<&str>) -> bool {
        Route::read(json).is_some_and(|route| !route.recanted.is_empty())
    }

    /// The same route with a channel that says so.
    pub fn with_decline_reversed(json: Option<&str>, channel: &str) -> Option<String> {
        let mut route = Route::read(json).unwrap_or_default();
        route.recanted.push(channel.to_owned());
        serde_json::to_string(&route).ok()
    }

    /// What stays with an order that its channel declined for itself alone, so that
    /// another may take it. `None`: none may.
    pub fn without(json: Option<&str>, channel: &str, code: &str) -> Option<Route> {
        let mut route = Route::read(json).filter(|route| !route.wished)?;
        route.chosen = None;
        route.rejected = vec![RejectedChannel::by_channel(channel, code)];
        route.tried.push(channel.to_owned());
        Some(route)
    }

    /// Whether this says nothing new: the figures in reasons change with every
    /// neighbour, and an order isn't rewritten for that.
    pub fn repeats(&self, stored: Option<&str>) -> bool {
        let told = |r: &Route| (r.version, r.chosen.clone(), by_channel(r));
        Route::read(stored).is_some_and(|stored| told(&stored) == told(self))
    }
}

/// `netsunion: rule single_limit: more than …; unionpay: pause: …`
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, r) in self.rejected.iter().enumerate() {
            let between = if at == 0 { "" } else { "; " };
            write!(f, "{between}{}: {}: {}", r.channel, r.by, r.reason)?;
        }
        Ok(())
    }
}

fn by_channel(route: &Route) -> Vec<(String, String)> {
    route
        .rejected
        .iter()
        .map(|r| (r.channel.clone(), r.by.clone()))
        .collect()
}

/// What is wrong with a configuration, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingProblem {
    /// Such as `rule single_limit`: a key of `file::RoutingLineNumbers`.
    pub place: String,
    pub what: String,
}

impl RoutingProblem {
    pub fn new(place: &str, what: impl Into<String>) -> Self {
        RoutingProblem {
            place: place.to_owned(),
            what: what.into(),
        }
    }
}

impl fmt::Display for RoutingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}
