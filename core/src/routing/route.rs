//! Route of an order: the choice of its channel, as it stays with the order.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Choice of an order's channel, with every rejection.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Route {
    /// The configuration that decided; 0 is "none: the settings file's order".
    pub version: i64,
    pub chosen: Option<String>,
    pub rejected: Vec<RejectedChannel>,
    /// The platform's day (`YYYYMMDD`) whose limits the order was counted in; set with the
    /// claim, so that the same totals get back what they gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// The caller asked for this very channel: it is never switched to another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wished: bool,
    /// Channels that declined it for themselves alone, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<String>,
    /// Channels of those that later said that they had paid it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decline_reversed: Vec<String>,
}

/// A channel that did not take it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedChannel {
    pub channel: String,
    /// `pause`, `breaker …`, `decimals`, `rule …`, `limit …`, `configuration`, or
    /// `channel`: it declined the order itself.
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
    /// Reads what is stored; none if there is none or it can't be read.
    pub fn read(json: Option<&str>) -> Option<Route> {
        serde_json::from_str(json?).ok()
    }

    /// Tells whether a channel that had declined it later said that it had paid it.
    pub fn has_reversed_decline(json: Option<&str>) -> bool {
        Route::read(json).is_some_and(|route| !route.decline_reversed.is_empty())
    }

    /// The same route with a channel that says so.
    pub fn with_decline_reversed(json: Option<&str>, channel: &str) -> Option<String> {
        let mut route = Route::read(json).unwrap_or_default();
        route.decline_reversed.push(channel.to_owned());
        serde_json::to_string(&route).ok()
    }

    /// The route that stays with an order that its channel declined for itself alone, so that
    /// another may take it. `None`: none may.
    pub fn without(json: Option<&str>, channel: &str, code: &str) -> Option<Route> {
        let mut route = Route::read(json).filter(|route| !route.wished)?;
        route.chosen = None;
        route.rejected = vec![RejectedChannel::by_channel(channel, code)];
        route.tried.push(channel.to_owned());
        Some(route)
    }

    /// Tells whether this says nothing new: the figures in reasons change with every
    /// neighbour, and an order isn't rewritten for that.
    pub fn repeats(&self, stored: Option<&str>) -> bool {
        let content = |r: &Route| (r.version, r.chosen.clone(), by_channel(r));
        Route::read(stored).is_some_and(|stored| content(&stored) == content(self))
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
