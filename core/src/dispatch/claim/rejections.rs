//! Rejections by channels: counted, and kept with an order that no channel takes.

use crate::metrics::METRICS;
use crate::orders::Order;
use crate::routing::Route;

/// An order without a route is looked at again after this.
const ROUTE_RETRY_DELAY_US: i64 = 300_000;

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
