//! `sluice orders history`: the events of one order, a line each.

use crate::orders::time;
use sluice_core::lookup::OrderLookup;
use sluice_core::orders::Order;

/// Writes the order's state, then its events, oldest first.
pub(super) async fn history(lookup: &OrderLookup, order: &Order) -> anyhow::Result<String> {
    let lines = lookup.timeline(order).await?.lines(order);
    let head = format!("{} is {}\n", order.order_id, order.state.as_str());
    let shown = lines
        .iter()
        .map(|l| format!("{}  {:<7} {}\n", time(l.at_us), l.what, l.text));
    Ok(head + &shown.collect::<String>())
}
