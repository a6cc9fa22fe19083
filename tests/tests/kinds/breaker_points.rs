//! Each kind of order stops at a breaker point of its own and is told as events of its own.

use crate::kinds::{accepted, body, business_event, captured, deposit, holds};
use anyhow::ensure;
use serde_json::json;
use sluice_contract::event::PAYMENT_SUCCEEDED;
use sluice_contract::order::OrderKind;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_has_its_own_breaker_point_and_its_own_events() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    deposit(&set, "M", &json!("100.00"), "CNY").await?;
    set.stage
        .events
        .send(&business_event(
            PAYMENT_SUCCEEDED,
            "M",
            "P-1",
            "100.00",
            "CNY",
        )?)
        .await?;
    captured(&set, "M", "P-1").await?;
    each_stops_alone(&set).await?;
    // 30 each: paid out, settled, refunded; the settled came onto the available money.
    for (field, want) in [
        ("available", "100"),
        ("reserved", "0"),
        ("intermediate", "40"),
        ("intermediateReserved", "0"),
    ] {
        ensure!(
            holds(&set, "M", "CNY", field).await? == want,
            "{field}: {}",
            holds(&set, "M", "CNY", field).await?
        );
    }
    ensure!(
        set.stage.book().len() == 6,
        "settlements leave by no channel: {:?}",
        set.stage.book()
    );
    a_waiting_one_is_cancelled(&set).await?;
    set.all_is_well().await?;
    each_is_published(&set).await
}

/// Each point stops its kind and no other.
async fn each_stops_alone(set: &TestStage) -> anyhow::Result<()> {
    let client = &set.stage.client;
    for stopped in OrderKind::ALL {
        let breaker = format!("{}/account/M", stopped.as_str());
        client.trip(&breaker, "test", "this point only").await?;
        let mut held = String::new();
        for kind in OrderKind::ALL {
            let order = accepted(
                set,
                kind,
                &format!("{stopped:?}-{kind:?}"),
                body(kind, "10.00"),
            )
            .await?;
            if kind == stopped {
                held = order;
            } else {
                set.stage
                    .wait_for_status_of(kind, &order, "success")
                    .await?;
            }
        }
        let shown = client.order_of(stopped, &held).await?;
        let why = shown["waitsFor"].as_str().unwrap_or_default();
        ensure!(
            shown["status"] == "init" && why.contains(&breaker),
            "{stopped:?}: {shown}"
        );
        // Another kind's path does not know it.
        for other in OrderKind::ALL.into_iter().filter(|k| *k != stopped) {
            let (status, answer) = client.get(&format!("/{}/{held}", other.word())).await?;
            ensure!(
                status == 404 && answer["code"] == 40400,
                "{other:?}: {answer}"
            );
        }
        client.reset(&breaker, "test", "over").await?;
        set.stage
            .wait_for_status_of(stopped, &held, "success")
            .await?;
    }
    Ok(())
}

async fn a_waiting_one_is_cancelled(set: &TestStage) -> anyhow::Result<()> {
    let client = &set.stage.client;
    // A waiting one is taken back, once, and its money with it.
    client
        .trip("settlement/account/M", "test", "to cancel")
        .await?;
    let order = accepted(
        set,
        OrderKind::Settlement,
        "cancelled",
        body(OrderKind::Settlement, "40.00"),
    )
    .await?;
    ensure!(
        holds(set, "M", "CNY", "intermediate").await? == "0",
        "not reserved"
    );
    let (status, answer) = client
        .post(&format!("/settlement/{order}/cancel"), &json!({}), &[])
        .await?;
    ensure!(
        status == 200 && answer["data"]["settlementOrderId"] == order.as_str(),
        "{answer}"
    );
    ensure!(
        holds(set, "M", "CNY", "intermediate").await? == "40",
        "not given back"
    );
    client.reset("settlement/account/M", "test", "over").await?;
    Ok(())
}

async fn each_is_published(set: &TestStage) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let kinds: Vec<String> = set.published()?.into_iter().map(|e| e.kind).collect();
        let count = |kind: &str| kinds.iter().filter(|k| *k == kind).count();
        let all = [
            ("accepted", [3, 4, 3]),
            ("success", [3, 3, 3]),
            ("failed", [0, 1, 0]),
        ];
        let as_wanted = all.iter().all(|(end, times)| {
            OrderKind::ALL
                .iter()
                .zip(times)
                .all(|(kind, n)| count(&format!("{}.{end}", kind.word())) == *n)
        });
        if as_wanted && count("payment.captured") == 1 && count("deposit.booked") == 1 {
            return Ok(());
        }
        ensure!(begun.elapsed() < Duration::from_secs(20), "{kinds:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
