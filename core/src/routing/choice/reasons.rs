//! Reasons of a channel against an order.

use crate::orders::Order;
use crate::routing::NoRouteAction;
use crate::routing::choice::status::ChannelStatus;
use crate::routing::configuration::set::RoutingSet;
use crate::routing::limits::{LimitTimes, LimitTotals, keys};
use std::cmp::Reverse;

/// A reason, and the action if nothing else speaks against the order.
pub(super) struct RejectionCause {
    pub by: String,
    pub reason: String,
    pub otherwise: NoRouteAction,
}

impl RejectionCause {
    pub fn new(by: impl Into<String>, reason: impl Into<String>, otherwise: NoRouteAction) -> Self {
        RejectionCause {
            by: by.into(),
            reason: reason.into(),
            otherwise,
        }
    }
}

/// Finds why this channel doesn't take the order. What can never pass is told before what may
/// pass later: an order isn't kept waiting only to fail in the end.
pub(super) fn rejects(
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
    if let Err(error) = here.decimals.check(order.amount, order.currency) {
        // Waiting doesn't change it, but another core's settings or a newer build may.
        all.push(RejectionCause::new(
            "decimals",
            error.to_string(),
            NoRouteAction::Wait,
        ));
    }
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
    let times = LimitTimes {
        platform: &here.platform_time,
        trade: order.trade_time.as_deref().unwrap_or(&here.trade_time),
    };
    let keys = keys(order, &here.channel, times);
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
