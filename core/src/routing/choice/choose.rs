//! Decides by which channel an order goes. Pure: the configuration, the order, each
//! channel's status, and the locked totals in; the choice, every rejection and its
//! reason out.

use crate::orders::Order;
use crate::routing::choice::order::in_order;
use crate::routing::choice::reasons::{RejectionCause, rejects};
use crate::routing::choice::status::ChannelStatus;
use crate::routing::configuration::set::RoutingSet;
use crate::routing::limits::LimitTotals;
use crate::routing::{NoRouteAction, RejectedChannel, Route};

/// Longest reason kept with an order, in characters.
const MAX_REASON_CHARS: usize = 190;

/// Choice for one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteDecision {
    pub route: Route,
    /// No channel will ever take it: don't wait.
    pub fails: bool,
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
