//! Fixed identity: an order claimed before midnight keeps its serial number and
//! trade time whatever happens after it. Channels forget serial numbers overnight,
//! so the same number with the new date would be paid again: the control shows it.

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use sluice_contract::clock::{now_us, trade_time};
use sluice_contract::ids::serial_no;
use sluice_contract::keys::SigningKeys;
use sluice_contract::signing::{SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use sluice_drill::channels::{ActionScript, ScriptedAction, SimulatorKind};
use sluice_drill::stage::client::UpstreamSubmit;
use sluice_drill::stage::traffic::Traffic;
use sluice_drill::stage::{DrillStage, StageOptions};
use sluice_tests::{TestStage, options};
use std::time::Duration;

/// From the core's start to midnight: enough for the start and the claims.
const START_TO_MIDNIGHT_S: i64 = 12;
/// A claim this close to midnight could be on either side.
const MIDNIGHT_MARGIN_S: i64 = 3;
const MAX_ATTEMPTS: usize = 4;

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

/// What each order's first call does: nobody learns what became of it.
fn scripts() -> Vec<(SimulatorKind, ScriptedAction)> {
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

/// An order that may go through any channel: the first takes it, and after midnight
/// declines it for itself alone.
async fn submit_switched(
    stage: &DrillStage,
    run: usize,
) -> anyhow::Result<(SimulatorKind, String)> {
    let ms = (START_TO_MIDNIGHT_S as u64 + 2) * 1_000;
    stage.sims.add_script(
        SimulatorKind::NetsUnion,
        ActionScript::new(&format!("n{run}.s."), ScriptedAction::NotHereLater { ms }),
    )?;
    let body = json!({ "fromAccountId": "A00009", "toAccountId": format!("n{run}.s.payee"), "amount": "3.00",
                       "currency": "CNY", "transactionId": format!("night-{run}-s") });
    let (status, answer) = stage.client.post("/withdraw/submit", &body, &[]).await?;
    let id = answer["data"]["withdrawOrderId"]
        .as_str()
        .with_context(|| format!("{status} {answer}"))?;
    Ok((SimulatorKind::UnionPay, id.to_owned()))
}

async fn submit(stage: &DrillStage, run: usize) -> anyhow::Result<Vec<(SimulatorKind, String)>> {
    let mut orders = vec![submit_switched(stage, run).await?];
    for (n, (kind, action)) in scripts().into_iter().enumerate() {
        let mut script = ActionScript::new(&format!("n{run}.{n}."), action);
        script.times = Some(1);
        stage.sims.add_script(kind, script)?;
        let ask = UpstreamSubmit {
            from: format!("A{n:05}"),
            to: format!("n{run}.{n}.payee"),
            amount: "3.00".into(),
            transaction_id: format!("night-{run}-{n}"),
            biz_no: format!("night-{run}-{n}"),
            channel: kind.to_string(),
        };
        orders.push((kind, stage.client.submit(&ask).await?));
    }
    Ok(orders)
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
        set.stage.options.each_channel = format!("deadline_ms = 1000\nzone = \"{zone}\"");
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

/// The control: with the new date, the same serial number is paid a second time.
async fn hazard(
    set: &TestStage,
    zone: &str,
    today: &str,
    orders: &[(SimulatorKind, String)],
) -> anyhow::Result<()> {
    let now = trade_time(now_us(), zone)?;
    ensure!(now[..8] != *today, "it is still {today}");
    for kind in SimulatorKind::ALL {
        let (_, order) = orders
            .iter()
            .find(|(k, _)| *k == kind)
            .context("no order")?;
        let serial = serial_no(order);
        let times = || {
            set.stage
                .sims
                .book()
                .iter()
                .filter(|p| p.serial_no == serial)
                .count()
        };
        for (trade_time, want) in [(format!("{today}235959"), 1), (now.clone(), 2)] {
            pay(set, kind, &serial, &trade_time).await?;
            tokio::time::sleep(Duration::from_millis(300)).await;
            ensure!(
                times() == want,
                "{kind} on {trade_time}: paid {} times, not {want}",
                times()
            );
        }
    }
    Ok(())
}

/// Sends a payment as a core would that forgets the first trade time.
async fn pay(
    set: &TestStage,
    kind: SimulatorKind,
    serial: &str,
    trade_time: &str,
) -> anyhow::Result<()> {
    let keys = SigningKeys::load(
        &format!("channel_{kind}"),
        Some(&set.stage.dir.join("secrets")),
    )?;
    let (now, base) = (
        now_us() / 1_000_000,
        set.stage.ports.url(set.stage.ports.sims),
    );
    let mut request = reqwest::Client::new().post(match kind {
        SimulatorKind::Psp => format!("{base}/psp/v1/payouts"),
        _ => format!("{base}/{kind}/pay"),
    });
    let to = set
        .stage
        .sims
        .book()
        .iter()
        .find(|p| p.serial_no == serial)
        .map(|p| p.to_account.clone());
    let body = match kind {
        SimulatorKind::Psp => {
            json!({ "reference": serial, "amount": 300, "currency": "CNY", "created": trade_time,
                             "destination": { "account": to } })
        }
        _ => {
            json!({ "serialNo": serial, "tradeTime": trade_time, "toAccount": to, "amount": "3.00",
                     "currency": "CNY" })
        }
    }
    .to_string();
    let signature = sign(keys.current(), now, body.as_bytes());
    request = match kind {
        SimulatorKind::Psp => request
            .header("psp-signature", format!("t={now},v1={signature}"))
            .header("psp-key-id", &sign(keys.current(), 0, b"key id")[..16])
            .header("idempotency-key", serial),
        _ => request
            .header(SIGNATURE_HEADER, signature)
            .header(TIMESTAMP_HEADER, now),
    };
    let reply = request.body(body).send().await?;
    ensure!(
        reply.status().is_success(),
        "{kind}: HTTP {}",
        reply.status()
    );
    Ok(())
}
