//! Inputs of a claim: what its orders are decided by, read and locked in its own
//! transaction.

use crate::batch::LockWait;
use crate::channels::ChannelClient;
use crate::dispatch::claim::ClaimContext;
use crate::dispatch::claim::send_path::{RouteChoice, SendPath};
use crate::guard::breakers::{self, OpenBreakers};
use crate::orders::Order;
use crate::routing::limits::{self, LimitTimes, LimitTotalKey, LimitTotals};
use crate::routing::{
    ChannelStatus, RejectedChannel, Route, RouteDecision, RoutingSet, UnusableRouting, choose,
};
use sluice_contract::breaker::BreakerPoint;
use sluice_contract::clock::trade_time;
use sluice_contract::order::OrderKind;
use sluice_contract::sql::Conn;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Breakers, totals and routing, as one claim's orders are decided by.
pub(super) struct ClaimInputs {
    pub tripped: OpenBreakers,
    pub totals: LimitTotals,
    set: Result<Arc<RoutingSet>, UnusableRouting>,
    /// Each channel's trade time for this claim.
    times: Vec<(&'static str, String)>,
    /// The same moment in the platform's zone: the day of its limits.
    pub platform_time: String,
}

/// Reads what decides: the configuration, the totals of every channel that may be
/// chosen, and last the breakers, so that one that opened a moment ago counts.
pub(super) async fn read_inputs(
    context: &ClaimContext<'_>,
    conn: &mut Conn,
    orders: &[Order],
    now: i64,
) -> anyhow::Result<ClaimInputs> {
    let set = context.routing.current(conn, context.seals).await?;
    let times = context
        .channels
        .iter()
        .map(|c| Ok((c.id(), c.trade_time(now)?)));
    let times: Vec<(&str, String)> = times.collect::<anyhow::Result<_>>()?;
    let platform_time = trade_time(now, context.day_zone)?;
    let wanted = wanted_totals(orders, &times, &platform_time);
    let stored = limits::repo::lock_totals(conn, context.seals, &wanted, LockWait::Usual).await?;
    let tripped = breakers::read_sealed(
        conn,
        context.schemas,
        context.seals.keys(),
        context.breakers,
    )
    .await?;
    Ok(ClaimInputs {
        tripped,
        totals: LimitTotals::new(wanted, stored),
        set,
        times,
        platform_time,
    })
}

/// Keys of every total that one of the orders may count in.
fn wanted_totals(
    orders: &[Order],
    times: &[(&str, String)],
    platform: &str,
) -> BTreeSet<LimitTotalKey> {
    let mut wanted = BTreeSet::new();
    for order in orders.iter().filter(|o| is_routed(o)) {
        let wished = order.channel.as_deref();
        for (channel, time) in times {
            if wished.is_none_or(|wished| wished == *channel) {
                let trade = order.trade_time.as_deref().unwrap_or(time);
                let times = LimitTimes { platform, trade };
                wanted.extend(limits::keys(order, channel, times));
            }
        }
    }
    wanted
}

/// Tells whether an order is routed: a settlement stays within the books; what was sent
/// once keeps its channel, unless that declined it for itself alone.
fn is_routed(order: &Order) -> bool {
    order.kind != OrderKind::Settlement && !order.was_sent()
}

impl ClaimInputs {
    /// Chooses the order's path.
    ///
    /// # Errors
    /// A channel's trade time that can't be read.
    pub fn find<'a>(
        &self,
        channels: &'a [ChannelClient],
        order: &Order,
    ) -> anyhow::Result<RouteChoice<'a>> {
        if order.kind == OrderKind::Settlement {
            return Ok(RouteChoice::Via(SendPath::Books, None));
        }
        if !is_routed(order) {
            return Ok(RouteChoice::Via(self.same_channel(channels, order), None));
        }
        let decision = match &self.set {
            Ok(set) => choose(
                set,
                order,
                &self.statuses(channels, order.kind.point())?,
                &self.totals,
            ),
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

    /// The path of what was sent before: the same channel, whatever rules and limits say
    /// now, unless it is gone, paused, or can't be told the amount any more.
    fn same_channel<'a>(&self, channels: &'a [ChannelClient], order: &Order) -> SendPath<'a> {
        let id = order.channel.as_deref().unwrap_or_default();
        let paused = self
            .set
            .as_ref()
            .is_ok_and(|s| s.channels.iter().any(|c| c.channel == id && c.paused));
        match channels.iter().find(|c| c.id() == id) {
            Some(channel)
                if !paused && channel.decimals.check(order.amount, order.currency).is_ok() =>
            {
                SendPath::Channel(channel)
            }
            Some(_) => SendPath::Unavailable(id.to_owned()),
            None => {
                tracing::error!(order = %order.order_id, channel = id, "an order's channel is not configured any more: it waits");
                SendPath::Unavailable(id.to_owned())
            }
        }
    }

    fn statuses(
        &self,
        channels: &[ChannelClient],
        point: BreakerPoint,
    ) -> anyhow::Result<Vec<ChannelStatus>> {
        let open = |channel: &str| {
            let (breaker, why) = self.tripped.stops_channel(point, channel)?;
            Some((breaker.to_string(), why.to_owned()))
        };
        self.times
            .iter()
            .zip(channels)
            .map(|((id, time), client)| {
                let decimals = client.decimals.clone();
                ChannelStatus::new(id, time, &self.platform_time, open(id), decimals)
            })
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
