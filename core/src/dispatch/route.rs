//! Routing within a claim: what a batch is decided by, and what becomes of the
//! orders that no channel takes.

use super::{Dispatcher, Slot};
use crate::channels::{Client, INTERNAL};
use crate::guard::breakers::{self, Tripped};
use crate::metrics::METRICS;
use crate::orders::state::Event;
use crate::orders::{Order, OrderRef};
use crate::outcome::Outcome;
use crate::routing::totals::{self, TotalKey, Totals};
use crate::routing::{self, Decision, Here, Rejected, Route, Set, Unusable, choose};
use mysql_async::Conn;
use sluice_contract::breaker::Point;
use sluice_contract::order::Kind;
use std::collections::BTreeSet;
use std::sync::Arc;

/// An order without a route is looked at again after this.
const LOOK_AGAIN_US: i64 = 300_000;
/// What an order is failed with that no channel will ever take.
const NO_ROUTE: &str = "no_route";

/// What the orders of one claim are decided by: read and locked in its transaction.
pub(super) struct Basis {
    pub tripped: Tripped,
    pub totals: Totals,
    set: Result<Arc<Set>, Unusable>,
    /// Each channel's trade time for this claim.
    times: Vec<(&'static str, String)>,
}

/// Through what an order's money moves.
pub(super) enum Via<'a> {
    Channel(&'a Client),
    /// Within the books: a settlement.
    Books,
    /// The channel it was sent through can't take it now.
    Away(String),
}

impl Via<'_> {
    pub fn id(&self) -> &str {
        match self {
            Via::Channel(channel) => channel.id(),
            Via::Books => INTERNAL,
            Via::Away(id) => id,
        }
    }

    /// A free call slot; `None` where no call is made. An error: not now. The order
    /// then waits for the channel's next free slot, or for a poll.
    pub fn slot(&self, order: &Order) -> Result<Option<Slot>, ()> {
        match self {
            Via::Channel(channel) => channel.slots.take(&order.at()).map(Some).ok_or(()),
            Via::Books => Ok(None),
            Via::Away(_) => Err(()),
        }
    }
}

/// Where an order goes, if it goes.
pub(super) enum Found<'a> {
    Via(Via<'a>, Option<Route>),
    Nowhere(Decision),
}

/// Reads what decides: the configuration, the totals of every channel that may be
/// chosen, and last the breakers, so that one that opened a moment ago counts.
pub(super) async fn basis(
    this: &Dispatcher,
    conn: &mut Conn,
    orders: &[Order],
    now: i64,
) -> anyhow::Result<Basis> {
    let set = this.routing.current(conn).await?;
    let times = this
        .channels
        .iter()
        .map(|c| Ok((c.id(), c.trade_time(now)?)));
    let times: Vec<(&str, String)> = times.collect::<anyhow::Result<_>>()?;
    let mut wanted: BTreeSet<TotalKey> = BTreeSet::new();
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
    Ok(Basis {
        tripped,
        totals: Totals::new(wanted, stored),
        set,
        times,
    })
}

/// A settlement stays within the books; what was sent once keeps its channel, unless
/// that declined it for itself alone.
fn is_routed(order: &Order) -> bool {
    order.kind != Kind::Settlement && !order.is_out()
}

impl Basis {
    pub fn find<'a>(&self, channels: &'a [Client], order: &Order) -> anyhow::Result<Found<'a>> {
        if order.kind == Kind::Settlement {
            return Ok(Found::Via(Via::Books, None));
        }
        if !is_routed(order) {
            return Ok(Found::Via(self.again(channels, order), None));
        }
        let decision = match &self.set {
            Ok(set) => choose(set, order, &self.here(order.kind.point())?, &self.totals),
            Err(unusable) => nothing_to_decide_by(unusable),
        };
        let chosen = channels
            .iter()
            .find(|c| decision.route.chosen.as_deref() == Some(c.id()));
        Ok(match chosen {
            Some(channel) => Found::Via(Via::Channel(channel), Some(decision.route)),
            None => Found::Nowhere(decision),
        })
    }

    /// Sent before: the same channel, whatever rules and limits say now, unless it
    /// is gone or paused.
    fn again<'a>(&self, channels: &'a [Client], order: &Order) -> Via<'a> {
        let id = order.channel.as_deref().unwrap_or_default();
        let paused = self
            .set
            .as_ref()
            .is_ok_and(|s| s.channels.iter().any(|c| c.channel == id && c.paused));
        match channels.iter().find(|c| c.id() == id) {
            Some(channel) if !paused => Via::Channel(channel),
            Some(_) => Via::Away(id.to_owned()),
            None => {
                tracing::error!(order = %order.order_id, channel = id, "an order's channel is not configured any more: it waits");
                Via::Away(id.to_owned())
            }
        }
    }

    fn here(&self, point: Point) -> anyhow::Result<Vec<Here>> {
        let open = |channel: &str| {
            let (breaker, why) = self.tripped.stops_channel(point, channel)?;
            Some((breaker.to_string(), why.to_owned()))
        };
        self.times
            .iter()
            .map(|(channel, time)| Here::new(channel, time, open(channel)))
            .collect()
    }
}

fn nothing_to_decide_by(unusable: &Unusable) -> Decision {
    let reason = format!(
        "version {} can't be used: {}",
        unusable.version, unusable.reason
    );
    let reason = reason.chars().take(190).collect();
    let rejected = vec![Rejected {
        channel: "*".to_owned(),
        by: "configuration".to_owned(),
        reason,
    }];
    let route = Route {
        version: unusable.version,
        rejected,
        ..Route::default()
    };
    Decision {
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
pub(super) fn note(order: &mut Order, route: &Route, now: i64) -> anyhow::Result<bool> {
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
    order.due_us = Some(now + LOOK_AGAIN_US);
    Ok(true)
}

/// An order that no channel will ever take.
pub(super) struct Failing {
    pub at: OrderRef,
    /// A channel had it: what that said stays its result.
    pub declined: bool,
}

/// Hands over orders that no channel will ever take. What can't be recorded now is
/// found again by polling.
pub(super) fn fail(this: &Dispatcher, orders: Vec<Failing>) {
    METRICS.routing.unroutable.inc_by(orders.len() as u64);
    for Failing { at, declined } in orders {
        let outcomes = this.outcomes.clone();
        let code = (!declined).then(|| NO_ROUTE.to_owned());
        let outcome = Outcome {
            code,
            ..Outcome::new(at, Event::Unroutable)
        };
        tokio::spawn(async move { outcomes.record(outcome).await });
    }
}
