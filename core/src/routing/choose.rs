//! Decides by which channel an order goes. Pure: the configuration, the order, what
//! each channel is like now, and the locked totals in; the choice, every rejection
//! and its reason out.

use crate::orders::Order;
use crate::routing::conditions::local_of;
use crate::routing::set::RoutingSet;
use crate::routing::totals::{self, LimitTotals};
use crate::routing::{NoRouteAction, RejectedChannel, Route};
use jiff::civil::DateTime;
use sha2::{Digest, Sha256};
use std::cmp::Reverse;

/// Longest reason kept with an order, in characters.
const MAX_REASON_CHARS: usize = 190;

/// A configured channel as it is now.
#[derive(Debug, Clone)]
pub struct ChannelStatus {
    pub channel: String,
    /// What the trade time would be, in the channel's zone.
    pub trade_time: String,
    /// The open breaker of this very channel, and why it is open.
    pub breaker: Option<(String, String)>,
    local: DateTime,
}

impl ChannelStatus {
    pub fn new(
        channel: &str,
        trade_time: &str,
        breaker: Option<(String, String)>,
    ) -> anyhow::Result<Self> {
        let local = local_of(trade_time)?;
        Ok(ChannelStatus {
            channel: channel.to_owned(),
            trade_time: trade_time.to_owned(),
            breaker,
            local,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteDecision {
    pub route: Route,
    /// No channel will ever take it: don't wait.
    pub fails: bool,
}

struct RejectionCause {
    by: String,
    reason: String,
    otherwise: NoRouteAction,
}

impl RejectionCause {
    fn new(by: impl Into<String>, reason: impl Into<String>, otherwise: NoRouteAction) -> Self {
        RejectionCause {
            by: by.into(),
            reason: reason.into(),
            otherwise,
        }
    }
}

/// Tries the candidates in order until one takes the order. An order that wished for
/// a channel has that one only.
pub fn choose(
    set: &RoutingSet,
    order: &Order,
    here: &[ChannelStatus],
    totals: &LimitTotals,
) -> RouteDecision {
    let wished = order.channel.as_deref();
    let tried = Route::read(order.route.as_deref())
        .map(|r| r.tried)
        .unwrap_or_default();
    let mut route = Route {
        version: set.version,
        wished: wished.is_some(),
        tried,
        ..Route::default()
    };
    let mut fails = true;
    for at in in_order(set, &order.order_id) {
        let channel = set.channels[at].channel.as_str();
        if wished.is_some_and(|w| w != channel) {
            continue;
        }
        let declined = route.tried.iter().any(|tried| tried == channel);
        let declined =
            declined.then(|| RejectionCause::new("channel", "declined it", NoRouteAction::Fail));
        let here = here.iter().find(|h| h.channel == channel);
        match declined.or_else(|| rejects(set, at, order, here, totals)) {
            None => {
                route.chosen = Some(channel.to_owned());
                return RouteDecision {
                    route,
                    fails: false,
                };
            }
            Some(rejection) => {
                fails &= rejection.otherwise == NoRouteAction::Fail;
                route.rejected.push(rejected(channel, rejection));
            }
        }
    }
    if let (true, Some(channel)) = (route.rejected.is_empty(), wished) {
        let reason = format!("configuration {} has no such channel", set.version);
        fails = set.no_route == NoRouteAction::Fail;
        route.rejected.push(rejected(
            channel,
            RejectionCause::new("configuration", reason, set.no_route),
        ));
    }
    RouteDecision { route, fails }
}

fn rejected(channel: &str, rejection: RejectionCause) -> RejectedChannel {
    let reason = rejection.reason.chars().take(MAX_REASON_CHARS).collect();
    RejectedChannel {
        channel: channel.to_owned(),
        by: rejection.by,
        reason,
    }
}

/// Places in `set.channels` in the order in which this order tries them. Equals are
/// drawn by weight from the order's id alone, so that `explain` draws the same.
fn in_order(set: &RoutingSet, order_id: &str) -> Vec<usize> {
    let mut all = Vec::with_capacity(set.channels.len());
    let mut from = 0;
    while let Some(first) = set.channels.get(from) {
        let mut equals: Vec<usize> = (from..set.channels.len())
            .take_while(|at| set.channels[*at].priority == first.priority)
            .collect();
        from += equals.len();
        while equals.len() > 1 {
            let place = drawn(set, &equals, order_id, all.len());
            all.push(equals.remove(place));
        }
        all.append(&mut equals);
    }
    all
}

fn drawn(set: &RoutingSet, equals: &[usize], order_id: &str, step: usize) -> usize {
    let weight = |at: usize| u64::try_from(set.channels[at].weight).unwrap_or(0);
    let sum: u64 = equals.iter().map(|at| weight(*at)).sum();
    let digest = Sha256::digest(format!("{order_id}/{step}"));
    let number = digest
        .iter()
        .take(8)
        .fold(0u64, |n, byte| n << 8 | u64::from(*byte));
    let mut point = number % sum.max(1);
    for (place, at) in equals.iter().enumerate() {
        if point < weight(*at) {
            return place;
        }
        point -= weight(*at);
    }
    0
}

/// Why this channel doesn't take it. What can never pass is told before what may
/// pass later: an order isn't kept waiting only to fail in the end.
fn rejects(
    set: &RoutingSet,
    at: usize,
    order: &Order,
    here: Option<&ChannelStatus>,
    totals: &LimitTotals,
) -> Option<RejectionCause> {
    let all = reasons(set, at, order, here, totals);
    all.into_iter()
        .min_by_key(|r| Reverse(r.otherwise == NoRouteAction::Fail))
}

fn reasons(
    set: &RoutingSet,
    at: usize,
    order: &Order,
    here: Option<&ChannelStatus>,
    totals: &LimitTotals,
) -> Vec<RejectionCause> {
    let row = &set.channels[at];
    let Some(here) = here else {
        return vec![RejectionCause::new(
            "configuration",
            "is not in this core's settings",
            NoRouteAction::Wait,
        )];
    };
    let mut all = Vec::new();
    if row.paused {
        let reason = if row.note.is_empty() {
            "paused"
        } else {
            &row.note
        };
        all.push(RejectionCause::new("pause", reason, NoRouteAction::Wait));
    }
    if let Some((breaker, why)) = &here.breaker {
        all.push(RejectionCause::new(
            format!("breaker {breaker}"),
            why,
            NoRouteAction::Wait,
        ));
    }
    for rule in &set.rules {
        if let Some(refused) = set.refuses(rule, order, &here.channel, here.local) {
            all.push(RejectionCause::new(
                format!("rule {}", rule.rule),
                refused.reason,
                refused.otherwise,
            ));
        }
    }
    // Sent once through another channel, it keeps that time.
    let time = order.trade_time.as_deref().unwrap_or(&here.trade_time);
    let keys = totals::keys(order, &here.channel, time);
    for broken in set.limits.broken(order, &here.channel, &keys, totals) {
        all.push(RejectionCause::new(
            broken.by,
            broken.reason,
            broken.otherwise,
        ));
    }
    if let Err(error) = totals.fits(&keys, order.amount) {
        all.push(RejectionCause::new(
            "limit column",
            error.to_string(),
            NoRouteAction::Wait,
        ));
    }
    all
}

#[cfg(test)]
#[path = "choose_tests.rs"]
mod tests;
