//! Orders that no channel takes: the reason stays with the order, and what no channel
//! will ever take is handed over to fail.

use crate::dispatch::Dispatcher;
use crate::metrics::METRICS;
use crate::orders::state::OrderInput;
use crate::orders::{Order, OrderRef};
use crate::outcome::OrderOutcome;
use crate::routing::Route;

/// An order without a route is looked at again after this.
const ROUTE_RETRY_DELAY_US: i64 = 300_000;
/// Result code of an order that no channel will ever take.
const NO_ROUTE_CODE: &str = "no_route";

/// Counts each rejection by its kind: pause, breaker, rule, limit or configuration.
pub(super) fn count_rejections(route: &Route) {
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
    count_rejections(route);
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
        this.parts.job(async move {
            let _ = outcomes.record(outcome).await;
        });
    }
}
