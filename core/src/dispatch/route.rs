//! Routing within a claim: what a batch is decided by, and what becomes of the
//! orders that no channel takes.

use crate::channels::{ChannelClient, INTERNAL_CHANNEL};
use crate::dispatch::{CallPermit, Dispatcher};
use crate::guard::breakers::{self, OpenBreakers};
use crate::metrics::METRICS;
use crate::orders::state::OrderInput;
use crate::orders::{Order, OrderRef};
use crate::outcome::OrderOutcome;
use crate::routing::totals::{self, LimitTotalKey, LimitTotals};
use crate::routing::{
    self, ChannelStatus, RejectedChannel, Route, RouteDecision, RoutingSet, UnusableRouting, choose,
};
use mysql_async::Conn;
use sluice_contract::breaker::BreakerPoint;
use sluice_contract::order::OrderKind;
use std::collections::BTreeSet;
use std::sync::Arc;

/// An order without a route is looked at again after this.
const ROUTE_RETRY_DELAY_US: i64 = 300_000;
/// What an order is failed with that no channel will ever take.
const NO_ROUTE_CODE: &str = "no_route";

/// What the orders of one claim are decided by: read and locked in its transaction.
pub(super) struct ClaimInputs {
    pub tripped: OpenBreakers,
    pub totals: LimitTotals,
    set: Result<Arc<RoutingSet>, UnusableRouting>,
    /// Each channel's trade time for this claim.
    times: Vec<(&'static str, String)>,
}

/// Through what an order's money moves.
pub(super) enum SendPath<'a> {
    Channel(&'a ChannelClient),
    /// Within the books: a settlement.
    Books,
    /// The channel it was sent through can't take it now.
    Unavailable(String),
}

impl SendPath<'_> {
    pub fn id(&self) -> &str {
        match self {
            SendPath::Channel(channel) => channel.id(),
            SendPath::Books => INTERNAL_CHANNEL,
            SendPath::Unavailable(id) => id,
        }
    }

    /// A free call permit; `None` where no call is made. An error: not now. The order
    /// then waits for the channel's next free permit, or for a poll.
    pub fn permit(&self, order: &Order) -> Result<Option<CallPermit>, ()> {
        match self {
            SendPath::Channel(channel) => channel.permits.take(&order.at()).map(Some).ok_or(()),
            SendPath::Books => Ok(None),
            SendPath::Unavailable(_) => Err(()),
        }
    }
}

/// Where an order goes, if it goes.
pub(super) enum RouteChoice<'a> {
    Via(SendPath<'a>, Option<Route>),
    NoRoute(RouteDecision),
}

/// Reads what decides: the configuration, the totals of every channel that may be
/// chosen, and last the breakers, so that one that opened a moment ago counts.
pub(super) async fn inputs(
    this: &Dispatcher,
    conn: &mut Conn,
    orders: &[Order],
    now: i64,
) -> anyhow::Result<ClaimInputs> {
    let set = this.routing.current(conn).await?;
    let times = this
        .channels
        .iter()
        .map(|c| Ok((c.id(), c.trade_time(now)?)));
    let times: Vec<(&str, String)> = times.collect::<anyhow::Result<_>>()?;
    let mut wanted: BTreeSet<LimitTotalKey> = BTreeSet::new();
    for order in orders.iter().filter(|o| is_routed(o)) {
        for (channel, time) in &times {
            if order
                .channel
                .as_deref()
                .is_none_or(|wished| wished == *channel)
            {
                wanted.extend(totals::keys(
                    order,
                    channel,
                    order.trade_time.as_deref().unwrap_or(time),
                ));
            }
        }
    }
    let stored = routing::repo::lock_totals(conn, &wanted).await?;
    let tripped = breakers::read(conn, &this.schemas).await?;
    Ok(ClaimInputs {
        tripped,
        totals: LimitTotals::new(wanted, stored),
        set,
        times,
    })
}

/// A settlement stays within the books; what was sent once keeps its channel, unless
/// that declined it for itself alone.
fn is_routed(order: &Order) -> bool {
    order.kind != OrderKind::Settlement && !order.was_sent()
}

impl ClaimInputs {
    pub fn find<'a>(
        &self,
        channels: &'a [ChannelClient],
        order: &Order,
    ) -> anyhow::Result<RouteChoice<'a>> {
        if order.kind == OrderKind::Settlement {
            return Ok(RouteChoice::Via(SendPath::Books, None));
        }
        if !is_routed(order) {
            return Ok(RouteChoice::Via(self.again(channels, order), None));
        }
        let decision = match &self.set {
            Ok(set) => choose(set, order, &self.here(order.kind.point())?, &self.totals),
            Err(unusable) => unusable_decision(unusable),
        };
        let chosen = channels
            .iter()
            .find(|c| decision.route.chosen.as_deref() == Some(c.id()));
        Ok(match chosen {
            Some(channel) => RouteChoice::Via(SendPath::Channel(channel), Some(decision.route)),
            None => RouteChoice::NoRoute(decision),
        })
    }

    /// Sent before: the same channel, whatever rules and limits say now, unless it
    /// is gone or paused.
    fn again<'a>(&self, channels: &'a [ChannelClient], order: &Order) -> SendPath<'a> {
        let id = order.channel.as_deref().unwrap_or_default();
        let paused = self
            .set
            .as_ref()
            .is_ok_and(|s| s.channels.iter().any(|c| c.channel == id && c.paused));
        match channels.iter().find(|c| c.id() == id) {
            Some(channel) if !paused => SendPath::Channel(channel),
            Some(_) => SendPath::Unavailable(id.to_owned()),
            None => {
                tracing::error!(order = %order.order_id, channel = id, "an order's channel is not configured any more: it waits");
                SendPath::Unavailable(id.to_owned())
            }
        }
    }

    fn here(&self, point: BreakerPoint) -> anyhow::Result<Vec<ChannelStatus>> {
        let open = |channel: &str| {
            let (breaker, why) = self.tripped.stops_channel(point, channel)?;
            Some((breaker.to_string(), why.to_owned()))
        };
        self.times
            .iter()
            .map(|(channel, time)| ChannelStatus::new(channel, time, open(channel)))
            .collect()
    }
}

fn unusable_decision(unusable: &UnusableRouting) -> RouteDecision {
    let reason = format!(
        "version {} can't be used: {}",
        unusable.version, unusable.reason
    );
    let reason = reason.chars().take(190).collect();
    let rejected = vec![RejectedChannel {
        channel: "*".to_owned(),
        by: "configuration".to_owned(),
        reason,
    }];
    let route = Route {
        version: unusable.version,
        rejected,
        ..Route::default()
    };
    RouteDecision {
        route,
        fails: false,
    }
}

/// Counts each rejection by its kind: pause, breaker, rule, limit or configuration.
pub(super) fn count(route: &Route) {
    for rejected in &route.rejected {
        let kind = rejected.by.split(' ').next().unwrap_or_default();
        METRICS.routing.rejections.with_label_values(&[kind]).inc();
    }
}

/// Writes into the order why no channel takes it; false if it says so already.
pub(super) fn record_rejections(
    order: &mut Order,
    route: &Route,
    now: i64,
) -> anyhow::Result<bool> {
    if route.repeats(order.route.as_deref()) {
        return Ok(false);
    }
    tracing::info!(order = %order.order_id, account = %order.account_id, "no route: {route}");
    count(route);
    let mut route = route.clone();
    if route.tried.is_empty() {
        // Not even the configuration could be read: what was tried stays known.
        route.tried = Route::read(order.route.as_deref())
            .map(|r| r.tried)
            .unwrap_or_default();
    }
    order.route = Some(serde_json::to_string(&route)?);
    order.version += 1;
    order.updated_us = now;
    order.due_us = Some(now + ROUTE_RETRY_DELAY_US);
    Ok(true)
}

/// An order that no channel will ever take.
pub(super) struct UnroutableOrder {
    pub at: OrderRef,
    /// A channel had it: what that said stays its result.
    pub declined: bool,
}

/// Hands over orders that no channel will ever take. What can't be recorded now is
/// found again by polling.
pub(super) fn fail_unroutable(this: &Dispatcher, orders: Vec<UnroutableOrder>) {
    METRICS.routing.unroutable.inc_by(orders.len() as u64);
    for UnroutableOrder { at, declined } in orders {
        let outcomes = this.outcomes.clone();
        let code = (!declined).then(|| NO_ROUTE_CODE.to_owned());
        let outcome = OrderOutcome {
            code,
            ..OrderOutcome::new(at, OrderInput::Unroutable)
        };
        tokio::spawn(async move { outcomes.record(outcome).await });
    }
}
