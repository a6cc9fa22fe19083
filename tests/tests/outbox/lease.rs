//! Relays that lose their lease: with it about to end, with messages under way, and frozen
//! in the middle.

use super::{event, every_event_arrived, fill, insert, rows, until_rows, unwatched};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::ids::new_tx_id;
use sluice_contract::kafka::KafkaConnection;
use sluice_contract::sql::Pool;
use sluice_core::outbox_relay::{HeldLease, OutboxRelay, producer};
use sluice_drill::setup::ports::free_port;
use sluice_drill::stage::StagePorts;
use sluice_tests::{TestStage, options};
use std::time::Duration;

/// Time that the relay wants left of its lease when it produces.
const MARGIN_US: i64 = 12_500_000;

/// A stage whose core has made the schemas and is gone.
async fn without_core() -> anyhow::Result<TestStage> {
    let mut set = unwatched(options()).await?;
    set.stage.start_core().await?;
    set.stage.core.take().context("no core")?.kill9()?;
    Ok(set)
}

fn relay(set: &TestStage, owner: &str) -> anyhow::Result<OutboxRelay> {
    Ok(OutboxRelay {
        pool: Pool::open(&set.stage.url, &set.stage.schemas.orders, 4)?,
        schemas: set.stage.schemas.clone(),
        key: set.stage.signer.clone(),
        owner: owner.to_owned(),
        producer: Some(producer(&KafkaConnection::open(&set.stage.brokers))?),
        certificates: None,
        archive_after: Duration::MAX,
        gives_up: false,
        held: HeldLease::default(),
        counted: None,
    })
}

/// Gives the lease to somebody, for a minute from now.
async fn give_lease(set: &TestStage, owner: &str) -> anyhow::Result<()> {
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "REPLACE INTO {}.lease (name,owner,epoch,expires_us) VALUES ('relay',?,77,?)",
        set.stage.schemas.guard
    );
    let until_us = now_us() + 60_000_000;
    Ok(conn.exec_drop(sql, (owner, until_us)).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_produces_nothing_that_may_outlive_its_lease() -> anyhow::Result<()> {
    let set = without_core().await?;
    // A page that takes long to produce.
    const ROWS: usize = 500;
    const EVENTS: usize = 150;
    let mut conn = set.stage.pool.get_conn().await?;
    for start in (0..ROWS).step_by(50) {
        let row = |n: usize| {
            let events: Vec<_> = (0..EVENTS).map(|at| event(n, at)).collect();
            let json = serde_json::to_string(&events)?;
            Ok(format!("('A{n:05}','{}','','{json}',1)", new_tx_id()))
        };
        let some: Vec<String> = (start..start + 50)
            .map(row)
            .collect::<anyhow::Result<_>>()?;
        insert(&mut conn, &set, &some.join(",")).await?;
    }
    give_lease(&set, "other").await?;
    let mut relay = relay(&set, "mine")?;
    relay.held = HeldLease {
        until_us: now_us() + MARGIN_US + 200_000,
        epoch: 76,
    };
    // What was produced in time may have arrived; nothing of it is deleted.
    let _ = relay.round().await;
    ensure!(relay.round().await? == 0, "the lease is another's");
    let published = set.published()?.len();
    ensure!(published < ROWS * EVENTS, "all {published} were produced");
    ensure!(rows(&set, "outbox").await? == ROWS as i64);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_has_lost_its_lease_deletes_nothing() -> anyhow::Result<()> {
    const COUNT: usize = 2_000;
    let set = without_core().await?;
    fill(&set, COUNT, now_us()).await?;
    give_lease(&set, "second").await?;
    // As if it had been taken meanwhile: there is time left on the first one's own clock.
    let mut first = relay(&set, "first")?;
    first.held = HeldLease {
        until_us: now_us() + 60_000_000,
        epoch: 76,
    };
    let lost = first.round().await.err().context("it has lost its lease")?;
    ensure!(lost.to_string().contains("another relay"), "{lost:#}");
    ensure!(rows(&set, "outbox").await? == COUNT as i64, "rows went");
    let mut second = relay(&set, "second")?;
    while second.round().await? > 0 {}
    ensure!(rows(&set, "outbox").await? == 0);
    every_event_arrived(&set.published()?, COUNT)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_frozen_over_its_backlog_has_not_the_last_word() -> anyhow::Result<()> {
    const COUNT: usize = 20_000;
    let mut set = unwatched(options()).await?;
    set.stage.start_core().await?;
    let mut frozen = set.stage.core.take().context("no core")?;
    fill(&set, COUNT, now_us()).await?;
    // Wherever it is: reading, producing, waiting for Kafka, deleting.
    while rows(&set, "outbox").await? > COUNT as i64 - 3_000 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    frozen.freeze()?;
    let ports = StagePorts {
        core: free_port()?,
        core_admin: free_port()?,
        ..set.stage.ports
    };
    let second = set.stage.spawn_core("core-2", ports).await?;
    until_rows(&set, "outbox", 0).await?;
    frozen.thaw()?;
    // What it still has to say, it has said when it ends by itself.
    frozen.terminate(Duration::from_secs(60)).await?;
    drop(second);
    every_event_arrived(&set.published()?, COUNT)
}
