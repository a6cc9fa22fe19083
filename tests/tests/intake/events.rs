//! Doubled, malformed and contradicting events open no hole.

use crate::intake::books;
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::event::{BUSINESS_TOPICS, BusinessEvent};
use sluice_drill::stage::merchants::MerchantTraffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

async fn intake(set: &TestStage, result: &str) -> anyhow::Result<u64> {
    set.stage
        .core_metric(&format!(
            "sluice_core_intake_events_total{{result=\"{result}\"}}"
        ))
        .await
}

/// Waits until the core has counted so many events of a result.
async fn counted(set: &TestStage, result: &str, most: u64) -> anyhow::Result<()> {
    let begun = Instant::now();
    while intake(set, result).await? < most {
        ensure!(
            begun.elapsed() < Duration::from_secs(30),
            "{} of {most} are {result}",
            intake(set, result).await?
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn doubled_malformed_and_contradicting_events_open_no_hole() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    let honest = MerchantTraffic::new("in", 4);
    let dead = publish(&set, &honest).await?;
    honest.wait_for(&set.stage, 40).await?;
    counted(&set, "dead_letter", dead).await?;
    counted(&set, "repeated", 28).await?;
    for n in 0..4 {
        let account = honest.account(n);
        let hundred = Decimal::from(100 * 10);
        ensure!(
            books(&set, &account).await? == (hundred, hundred),
            "{account}: {:?}",
            books(&set, &account).await?
        );
    }
    // The same number with other words, behind each other in one partition: the first
    // one counts, and the merchant is stopped until somebody knows.
    let first = BusinessEvent {
        account_id: "TWICE".into(),
        biz_no: "t".into(),
        ..honest.event(0)
    };
    let second = BusinessEvent {
        id: "t-2".into(),
        amount: Decimal::from(999),
        ..first.clone()
    };
    set.stage.events.queue(&first).await?;
    set.stage.events.queue(&second).await?;
    counted(&set, "conflict", 1).await?;
    ensure!(
        books(&set, "TWICE").await?.0 == first.amount,
        "{:?}",
        books(&set, "TWICE").await?
    );
    ensure!(
        intake(&set, "booked").await? == 41,
        "{} are booked",
        intake(&set, "booked").await?
    );
    set.everything_is_evaluated().await?;
    let mut conn = set.stage.pool.get_conn().await?;
    let open = format!(
        "SELECT point FROM {}.breaker WHERE scope_key='TWICE' ORDER BY point",
        set.stage.schemas.guard
    );
    let open: Vec<String> = conn.query(open).await?;
    ensure!(
        open == ["refund", "settlement"],
        "{open:?}: {:?}",
        set.verdicts().await?
    );
    let expected = ["BAD", "B'; DROP", "TWICE"].map(str::to_owned);
    let counts =
        sluice_drill::checks::counts(&set.stage.pool, &set.stage.schemas, &expected).await?;
    ensure!(counts.false_positives == 0, "{:?}", set.verdicts().await?);
    let held = set.stage.invariants().await?;
    ensure!(held.all_hold(), "{:?}", held.problems);
    Ok(())
}

/// Publishes forty payments, some of them doubled, with bad events among them; returns
/// how many are bad.
async fn publish(set: &TestStage, honest: &MerchantTraffic) -> anyhow::Result<u64> {
    let bad = |change: &dyn Fn(&mut BusinessEvent)| {
        let mut event = BusinessEvent {
            account_id: "BAD".into(),
            biz_no: "bad".into(),
            ..honest.event(0)
        };
        change(&mut event);
        serde_json::to_vec(&event)
    };
    let wrong = [
        b"{\"not\": \"an event\"".to_vec(),
        bad(&|e| e.currency = "XXX".into())?,
        bad(&|e| e.amount = Decimal::new(1_001, 3))?,
        bad(&|e| e.amount = Decimal::ZERO)?,
        bad(&|e| e.amount = -Decimal::ONE)?,
        bad(&|e| e.biz_no = "x".repeat(65))?,
        bad(&|e| e.account_id = "B'; DROP".into())?,
    ];
    for n in 0..40 {
        let event = honest.event(n);
        set.stage.events.queue(&event).await?;
        if let Some(wrong) = wrong.get(n as usize) {
            // Under the honest merchant's key: in the way of its next payments.
            set.stage
                .events
                .send_raw(BUSINESS_TOPICS[0], &event.account_id, wrong)
                .await?;
        }
        if n % 3 == 0 {
            // Told again, by itself and under another id.
            set.stage.events.queue(&event).await?;
            let again = BusinessEvent {
                id: format!("again-{}", event.id),
                ..event
            };
            set.stage.events.queue(&again).await?;
        }
    }
    Ok(wrong.len() as u64)
}
