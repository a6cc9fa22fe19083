//! The outbox under adversity: a large backlog, a row that can't be published, a relay that
//! is killed between Kafka and the delete, and no Kafka at all.

mod lease;
mod unclaimed;

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::clock::now_us;
use sluice_contract::event::OrderEvent;
use sluice_contract::ids::new_tx_id;
use sluice_drill::setup::ports::free_port;
use sluice_drill::stage::{StageOptions, StagePorts};
use sluice_tests::{TestStage, options};
use std::collections::HashMap;
use std::time::{Duration, Instant};

const ACCOUNT_COUNT: usize = 20;

/// A core and its servers, without anybody who judges: the tests write the outbox by hand.
async fn unwatched(more: StageOptions) -> anyhow::Result<TestStage> {
    TestStage::prepare(StageOptions {
        fence: false,
        dispatch: false,
        ..more
    })
    .await
}

fn event(account: usize, number: usize) -> OrderEvent {
    OrderEvent {
        id: format!("e-{account}-{number}"),
        kind: "withdraw.success".into(),
        account_id: format!("A{account:05}"),
        order_id: format!("o-{account}"),
        transaction_id: String::new(),
        biz_no: None,
        amount: Decimal::ONE,
        currency: "CNY".into(),
        version: number as i64,
        occurred_us: 1,
        correlation_id: None,
        traceparent: None,
    }
}

/// Writes `count` transactions of a few accounts; each account's versions go up.
async fn fill(set: &TestStage, count: usize, created_us: i64) -> anyhow::Result<()> {
    let mut conn = set.stage.pool.get_conn().await?;
    for start in (0..count).step_by(500) {
        let rows: Vec<String> = (start..count.min(start + 500))
            .map(|n| {
                let event = event(n % ACCOUNT_COUNT, n / ACCOUNT_COUNT);
                let json = serde_json::to_string(&[&event])?;
                let (account, tx) = (&event.account_id, new_tx_id());
                Ok(format!("('{account}','{tx}','','{json}',{created_us})"))
            })
            .collect::<anyhow::Result<_>>()?;
        insert(&mut conn, set, &rows.join(",")).await?;
    }
    Ok(())
}

async fn insert(conn: &mut mysql_async::Conn, set: &TestStage, rows: &str) -> anyhow::Result<()> {
    let orders = &set.stage.schemas.orders;
    conn.query_drop(format!(
        "INSERT INTO {orders}.outbox (account_id,tx_id,signature,events,created_us) VALUES {rows}"
    ))
    .await?;
    Ok(())
}

async fn rows(set: &TestStage, table: &str) -> anyhow::Result<i64> {
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!("SELECT COUNT(*) FROM {}.{table}", set.stage.schemas.orders);
    conn.query_first(sql).await?.context("no count")
}

async fn until_rows(set: &TestStage, table: &str, want: i64) -> anyhow::Result<()> {
    let begun = Instant::now();
    while rows(set, table).await? != want {
        ensure!(
            begun.elapsed() < Duration::from_secs(60),
            "{table} has {} rows, not {want}",
            rows(set, table).await?
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Every event arrived, and each account's last word is its last.
fn every_event_arrived(events: &[OrderEvent], count: usize) -> anyhow::Result<()> {
    let mut last_seen: HashMap<&str, usize> = HashMap::new();
    for (at, event) in events.iter().enumerate() {
        last_seen.insert(&event.id, at);
    }
    ensure!(last_seen.len() == count, "{} of {count}", last_seen.len());
    for n in ACCOUNT_COUNT..count {
        let (account, number) = (n % ACCOUNT_COUNT, n / ACCOUNT_COUNT);
        let at = |number: usize| last_seen[format!("e-{account}-{number}").as_str()];
        ensure!(
            at(number - 1) < at(number),
            "{account}: {number} came first"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_killed_over_its_backlog_doubles_events_and_loses_none() -> anyhow::Result<()> {
    let mut set = unwatched(options()).await?;
    set.stage.start_core().await?;
    let mut core = set.stage.core.take().context("no core")?;
    core.kill9()?;
    const COUNT: usize = 12_000;
    fill(&set, COUNT, now_us()).await?;
    core.restart()?;
    let ports = StagePorts {
        core: free_port()?,
        core_admin: free_port()?,
        ..set.stage.ports
    };
    let second = set.stage.spawn_core("core-2", ports).await?;
    // Killed wherever they are: reading, waiting for Kafka, deleting.
    for round in 0..4 {
        let begun = Instant::now();
        let before = rows(&set, "outbox").await?;
        while rows(&set, "outbox").await? == before && before > 0 {
            ensure!(
                begun.elapsed() < Duration::from_secs(60),
                "nobody publishes"
            );
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        if round < 2 {
            core.kill9()?;
            core.restart()?;
        }
    }
    until_rows(&set, "outbox", 0).await?;
    drop(second);
    every_event_arrived(&set.published()?, COUNT)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_published_is_set_aside_with_a_case() -> anyhow::Result<()> {
    let mut set = unwatched(options()).await?;
    set.stage.start_core().await?;
    let mut conn = set.stage.pool.get_conn().await?;
    let (bad, large, now) = (new_tx_id(), new_tx_id(), now_us());
    // More than a message may hold: Kafka will never take it.
    let mut huge = event(1, 0);
    huge.transaction_id = "x".repeat(1_200_000);
    let huge = serde_json::to_string(&[&huge])?;
    let broken =
        format!("('A00000','{bad}','','[{{\"id\":',{now}),('A00001','{large}','','{huge}',{now})");
    insert(&mut conn, &set, &broken).await?;
    fill(&set, 400, now).await?;
    until_rows(&set, "outbox", 0).await?;
    let orders = &set.stage.schemas.orders;
    let aside: Vec<String> = conn
        .query(format!(
            "SELECT tx_id FROM {orders}.outbox_archive WHERE reason IS NOT NULL ORDER BY tx_id"
        ))
        .await?;
    ensure!(aside == [bad.clone(), large.clone()], "{aside:?}");
    let cases: Vec<String> = conn
        .query(format!("SELECT order_id FROM {orders}.cases WHERE kind='unpublishable' AND state='open' ORDER BY order_id"))
        .await?;
    ensure!(cases == [bad, large], "{cases:?}");
    ensure!(
        set.stage
            .core_metric("sluice_core_outbox_quarantined_total")
            .await?
            == 2
    );
    every_event_arrived(&set.published()?, 400)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_brokers_the_outbox_ages_into_the_archive() -> anyhow::Result<()> {
    let mut set = unwatched(StageOptions {
        brokers: Some(String::new()),
        ..options()
    })
    .await?;
    set.stage.start_core().await?;
    fill(&set, 2_500, now_us() - 2 * 3_600_000_000).await?;
    fill(&set, 30, now_us()).await?;
    until_rows(&set, "outbox", 30).await?;
    until_rows(&set, "outbox_archive", 2_500).await
}
