//! `sluice routing explain`: the route of one order as it was decided, and as it would be
//! decided now.

use anyhow::{bail, ensure};
use sluice_contract::clock::{now_us, trade_time};
use sluice_contract::ids::{MAX_ID_BYTES, is_plain};
use sluice_contract::order::{OrderKind, OrderState};
use sluice_contract::settings::Secret;
use sluice_contract::sql::Conn;
use sluice_core::config::CoreConfig;
use sluice_core::guard::breakers;
use sluice_core::orders::OrderSeals;
use sluice_core::orders::{self, Order};
use sluice_core::routing::configuration::version_repo;
use sluice_core::routing::limits::{self, LimitTimes, LimitTotals, keys};
use sluice_core::routing::{ChannelStatus, Route, RouteDecision, RoutingSet, active, choose};
use std::collections::BTreeSet;
use std::sync::Arc;

#[allow(clippy::print_stdout)]
pub(super) async fn explain(conn: &mut Conn, config: &CoreConfig, id: &str) -> anyhow::Result<()> {
    ensure!(is_plain(id, MAX_ID_BYTES), "{id:?} is no order id");
    let Some(order) = orders::repo::find(conn, id).await? else {
        bail!("there is no order {id}")
    };
    println!(
        "order {id}: {} of {} {} for {}, {}",
        order.kind.as_str(),
        order.amount.normalize(),
        order.currency,
        order.account_id,
        order.shown()
    );
    if order.kind == OrderKind::Settlement {
        println!("a settlement stays within the books: it is not routed");
        return Ok(());
    }
    match Route::read(order.route.as_deref()) {
        Some(route) => print_route("as it was decided", &route),
        None => println!("nothing was decided yet"),
    }
    if order.state == OrderState::Init && !order.was_sent() {
        match now(conn, config, &order).await? {
            Ok(decision) => {
                print_route("as it would be decided now", &decision.route);
                if decision.fails {
                    println!("no channel will ever take it: it fails");
                }
            }
            Err(reason) => println!("now nothing can be decided: {reason}"),
        }
    }
    Ok(())
}

#[allow(clippy::print_stdout)]
fn print_route(when: &str, route: &Route) {
    println!(
        "\n{when}, by version {}\n{:<12} {:<9} {:<36} reason",
        route.version, "candidate", "verdict", "rule"
    );
    for r in &route.rejected {
        println!(
            "{:<12} {:<9} {:<36} {}",
            r.channel, "rejected", r.by, r.reason
        );
    }
    match &route.chosen {
        Some(chosen) => println!("{chosen:<12} {:<9}", "chosen"),
        None => println!("{:<12} {:<9}", "-", "none"),
    }
}

/// Decides as a claim would: the same code, without its locks.
async fn now(
    conn: &mut Conn,
    config: &CoreConfig,
    order: &Order,
) -> anyhow::Result<Result<RouteDecision, String>> {
    let version = version_repo::active_version(conn).await?;
    let set = match version {
        0 => Arc::new(RoutingSet::unconfigured(
            config.channels.iter().map(|c| c.id.as_str()),
        )),
        _ => match active::read(conn, version).await? {
            Ok(set) => set,
            Err(reason) => return Ok(Err(format!("version {version} can't be used: {reason}"))),
        },
    };
    let tripped = breakers::read(conn, &config.schemas()?).await?;
    if let Some((breaker, reason)) = tripped.stops_anywhere(order) {
        return Ok(Err(format!("breaker {breaker} is open: {reason}")));
    }
    let at = now_us();
    let platform = trade_time(at, &config.day_zone)?;
    let (mut here, mut wanted) = (Vec::new(), BTreeSet::new());
    for channel in &config.channels {
        let time = trade_time(at, &channel.zone)?;
        let open = tripped.stops_channel(order.kind.point(), &channel.id);
        here.push(ChannelStatus::new(
            &channel.id,
            &time,
            &platform,
            open.map(|(b, why)| (b.to_string(), why.to_owned())),
            Arc::new(channel.decimals()?),
        )?);
        let times = LimitTimes {
            platform: &platform,
            trade: order.trade_time.as_deref().unwrap_or(&time),
        };
        wanted.extend(keys(order, &channel.id, times));
    }
    // Shown as they are: whether a core wrote them, cores say.
    let seals = OrderSeals::new(&Secret::new("none").into(), &[], 0);
    let stored = limits::repo::read_totals(conn, &seals, &wanted).await?;
    Ok(Ok(choose(
        &set,
        order,
        &here,
        &LimitTotals::new(wanted, stored),
    )))
}
