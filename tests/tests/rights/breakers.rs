//! A breaker that somebody closes, deletes or puts back by hand stays open, even if the
//! binlog never showed it.

use crate::fence::submit;
use anyhow::ensure;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

const BREAKER: &str = "cash_out/account/A00001";

/// Waits until the order says that it waits for somebody to look at the breakers.
async fn waits_for_a_look(set: &TestStage, order: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let shown = set.stage.client.order(order).await?;
        let why = shown["waitsFor"].as_str().unwrap_or_default();
        if why.contains("by hand") {
            break;
        }
        ensure!(begun.elapsed() < Duration::from_secs(20), "{shown}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ensure!(set.stage.book().is_empty(), "money left: {order}");
    Ok(())
}

/// A connection whose changes the binlog does not show.
async fn hidden(set: &TestStage) -> anyhow::Result<Conn> {
    let mut conn = sluice_contract::sql::connect(&set.stage.url).await?;
    conn.query_drop("SET sql_log_bin = 0").await?;
    Ok(conn)
}

/// Trips the breaker, does `by_hand` to its row, and expects that nothing leaves until a
/// person has sealed the breakers anew.
async fn nothing_leaves_after(by_hand: &[&str]) -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("seal", 2).fund(&set.stage, 1_000).await?;
    let guard = &set.stage.schemas.guard;
    let mut conn = hidden(&set).await?;
    for copy in ["breaker", "breaker_seal"] {
        conn.query_drop(format!(
            "CREATE TABLE {guard}.copy_{copy} AS SELECT * FROM {guard}.{copy}"
        ))
        .await?;
    }
    set.stage.client.trip(BREAKER, "ann", "a test").await?;
    for statement in by_hand {
        conn.query_drop(statement.replace("guard.", &format!("{guard}.")))
            .await?;
    }
    let order = submit(&set, "sealed-1").await?;
    waits_for_a_look(&set, &order).await?;
    let refused = set.stage.client.reset(BREAKER, "ann", "is it over?").await;
    ensure!(refused.is_err(), "a move vouched for what was done by hand");
    set.stage.client.seal("ann", "looked at each").await?;
    if set.stage.client.order(&order).await?["status"] != "success" {
        // Where the row still stands open, a person closes it now.
        let _ = set.stage.client.reset(BREAKER, "ann", "over").await;
    }
    set.stage.wait_for_status(&order, "success").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_closed_by_hand_stays_open() -> anyhow::Result<()> {
    nothing_leaves_after(&["UPDATE guard.breaker SET state='closed'"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn breakers_deleted_with_their_seal_stay_open() -> anyhow::Result<()> {
    nothing_leaves_after(&[
        "DELETE FROM guard.breaker",
        "DELETE FROM guard.breaker_seal",
    ])
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_state_put_back_closes_nothing() -> anyhow::Result<()> {
    nothing_leaves_after(&[
        "DELETE FROM guard.breaker",
        "DELETE FROM guard.breaker_seal",
        "INSERT INTO guard.breaker SELECT * FROM guard.copy_breaker",
        "INSERT INTO guard.breaker_seal SELECT * FROM guard.copy_breaker_seal",
    ])
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_one_put_back_while_every_program_is_down() -> anyhow::Result<()> {
    let mut set = TestStage::up(options()).await?;
    Traffic::new("seal", 2).fund(&set.stage, 1_000).await?;
    let guard = set.stage.schemas.guard.clone();
    let mut conn = hidden(&set).await?;
    for copy in ["breaker", "breaker_seal"] {
        let copied = format!("CREATE TABLE {guard}.copy_{copy} AS SELECT * FROM {guard}.{copy}");
        conn.query_drop(copied).await?;
    }
    set.stage.client.trip(BREAKER, "ann", "a test").await?;
    let programs = [set.stage.core.take(), set.stage.sidecar.take()];
    for mut program in programs.into_iter().flatten() {
        program.terminate(Duration::from_secs(15)).await?;
    }
    for table in ["breaker", "breaker_seal"] {
        conn.query_drop(format!("DELETE FROM {guard}.{table}"))
            .await?;
        conn.query_drop(format!(
            "INSERT INTO {guard}.{table} SELECT * FROM {guard}.copy_{table}"
        ))
        .await?;
    }
    // What moved is in the history, which can only be added to.
    set.stage.start_core().await?;
    let _ = set.stage.start_sidecar().await;
    let order = submit(&set, "down-1").await?;
    waits_for_a_look(&set, &order).await?;
    set.stage.client.seal("ann", "looked at each").await?;
    set.stage.wait_for_status(&order, "success").await
}
