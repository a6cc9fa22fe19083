//! An order keeps its trade time over midnight.

use crate::midnight::hazard::hazard;
use crate::midnight::{MAX_ATTEMPTS, START_TO_MIDNIGHT_S, submit};
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use sluice_contract::clock::{now_us, trade_time};
use sluice_contract::ids::serial_no;
use sluice_drill::channels::{ScriptedAction, SimulatorKind};
use sluice_drill::stage::traffic::Traffic;
use sluice_drill::stage::{BRIEF_LATENESS, DrillStage, StageOptions};
use sluice_tests::{TestStage, options};
use std::time::Duration;

/// A claim this close to midnight could be on either side.
const MIDNIGHT_MARGIN_S: i64 = 3;

/// A fixed offset in which midnight is `ahead_s` away.
fn zone_before_midnight(ahead_s: i64) -> String {
    let local = 86_400 - ahead_s;
    let offset = (local - now_us() / 1_000_000).rem_euclid(86_400);
    // Within half a day of UTC either way, as real zones are.
    let (sign, offset) = if offset > 43_200 {
        ('-', 86_400 - offset)
    } else {
        ('+', offset)
    };
    format!(
        "{sign}{:02}:{:02}:{:02}",
        offset / 3_600,
        offset / 60 % 60,
        offset % 60
    )
}

fn date_in(zone: &str) -> anyhow::Result<String> {
    Ok(trade_time(now_us(), zone)?[..8].to_owned())
}

/// The action that each order's first call meets: nobody learns what became of it.
pub(super) fn scripts() -> Vec<(SimulatorKind, ScriptedAction)> {
    let hold_ms = 4_000;
    let mut all = Vec::new();
    for kind in SimulatorKind::ALL {
        all.push((kind, ScriptedAction::TimeoutAfterPaying { hold_ms }));
        all.push((kind, ScriptedAction::TimeoutWithoutPaying { hold_ms }));
    }
    all.push((SimulatorKind::UnionPay, ScriptedAction::NoCallback));
    all.push((SimulatorKind::Psp, ScriptedAction::NoCallback));
    all
}

/// The orders' trade times, once all are claimed.
async fn trade_times(
    stage: &DrillStage,
    orders: &[(SimulatorKind, String)],
) -> anyhow::Result<Vec<String>> {
    let mut times = Vec::new();
    for (_, order) in orders {
        let mut tries = 0..400;
        let time = loop {
            if let Some(time) = stage.client.order(order).await?["tradeTime"].as_str() {
                break time.to_owned();
            }
            tries
                .next()
                .with_context(|| format!("order {order} is not claimed"))?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        times.push(time);
    }
    Ok(times)
}

/// Orders claimed on the day that ends a moment later: their zone, and themselves.
async fn claimed_before_midnight(
    set: &mut TestStage,
) -> anyhow::Result<(String, Vec<(SimulatorKind, String)>, Vec<String>)> {
    for run in 0..MAX_ATTEMPTS {
        if let Some(mut core) = set.stage.core.take() {
            core.kill9()?;
        }
        let zone = zone_before_midnight(START_TO_MIDNIGHT_S);
        let (begun, today) = (now_us(), date_in(&zone)?);
        set.stage.options.each_channel =
            format!("deadline_ms = 1000\n{BRIEF_LATENESS}\nzone = \"{zone}\"");
        set.stage.start_core().await?;
        set.stage.wait_for_fence().await?;
        if (now_us() - begun) / 1_000_000 > START_TO_MIDNIGHT_S - MIDNIGHT_MARGIN_S {
            continue;
        }
        let orders = submit(&set.stage, run).await?;
        let times = trade_times(&set.stage, &orders).await?;
        if times.iter().all(|time| time[..8] == today) {
            return Ok((zone, orders, times));
        }
    }
    bail!(
        "this machine is too slow: no order was claimed within {START_TO_MIDNIGHT_S} s of the core's start"
    )
}

async fn next_day(zone: &str, today: &str) -> anyhow::Result<()> {
    while date_in(zone)? == today {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_keeps_its_identity_over_midnight_and_is_paid_once() -> anyhow::Result<()> {
    let mut set = TestStage::up(StageOptions { ..options() }).await?;
    Traffic::new("night", 20).fund(&set.stage, 1_000).await?;
    let (zone, orders, times) = claimed_before_midnight(&mut set).await?;
    let today = times[0][..8].to_owned();
    ensure!(
        times.iter().all(|time| time[8..].starts_with("2359")),
        "claimed at {times:?}"
    );

    // The first calls are on their way; nobody hears their answers.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut core = set.stage.core.take().context("the stage has a core")?;
    core.kill9()?;
    next_day(&zone, &today).await?;
    core.restart()?;
    core.wait_ready(
        &set.stage.ports.address(set.stage.ports.core_admin),
        Duration::from_secs(30),
    )
    .await?;
    set.stage.core = Some(core);
    set.stage.wait_for_fence().await?;
    set.all_is_well().await?;

    let book = set.stage.sims.book();
    for ((kind, order), time) in orders.iter().zip(&times) {
        let shown: Value = set.stage.client.order(order).await?;
        ensure!(
            shown["status"] == "success" && shown["tradeTime"] == time.as_str(),
            "{shown}"
        );
        ensure!(shown["serialNo"] == serial_no(order).as_str(), "{shown}");
        let paid: Vec<_> = book
            .iter()
            .filter(|p| p.serial_no == serial_no(order))
            .collect();
        ensure!(paid.len() == 1, "{kind}: paid {} times", paid.len());
        ensure!(
            paid[0].trade_date == today && paid[0].channel == *kind,
            "{:?}",
            paid[0]
        );
    }
    // The first one changed its channel on the way, and nothing else.
    let switched: Value = set.stage.client.order(&orders[0].1).await?;
    ensure!(
        switched["channel"] == "unionpay" && switched["route"]["tried"] == json!(["netsunion"]),
        "{switched}"
    );
    let later = |p: &&sluice_drill::channels::BookedPayment| {
        date_of(p.paid_us, &zone).is_ok_and(|d| d != today)
    };
    ensure!(
        book.iter().filter(later).count() >= SimulatorKind::ALL.len(),
        "nothing was sent again after midnight"
    );
    hazard(&set, &zone, &today, &orders).await
}

fn date_of(at_us: i64, zone: &str) -> anyhow::Result<String> {
    Ok(trade_time(at_us, zone)?[..8].to_owned())
}
