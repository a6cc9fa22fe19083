//! A person's look-up asks each server for what it has, and a repeat behind a 503 is the
//! first request.

use crate::identity::change_unseen;
use crate::recovery::WAIT_TIMEOUT;
use crate::split_books::{ask, ready};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_drill::setup::process::binary;
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

async fn split() -> anyhow::Result<TestStage> {
    let set = TestStage::up(StageOptions {
        split_books: true,
        ..options()
    })
    .await?;
    Traffic::new("look", 3).fund(&set.stage, 100).await?;
    Ok(set)
}

/// Asks for one order by each key while the ledger is gone: the balance has reserved the
/// money when that turns out.
async fn half_made(set: &mut TestStage, keys: &[&str]) -> anyhow::Result<()> {
    for key in keys {
        loop {
            set.stage
                .split_books
                .as_mut()
                .context("split")?
                .ledger
                .kill9()?;
            let (status, answer) = ask(set, key, "7.00").await?;
            ensure!(status == 503, "{status} {answer}");
            let orders = &set.stage.schemas.orders;
            let sql = format!("SELECT COUNT(*) FROM {orders}.orders WHERE biz_no=?");
            let mut conn = set.stage.pool.get_conn().await?;
            if conn.exec_first(sql, (key,)).await? == Some(1) {
                break;
            }
            // The core had seen already that it is away, and wrote nothing.
            set.stage
                .split_books
                .as_mut()
                .context("split")?
                .ledger
                .restart()
                .await?;
            ready(set, true).await?;
        }
    }
    Ok(())
}

/// The text that `sluice orders …` prints, as an operator runs it.
async fn sluice_orders(set: &TestStage, words: &[&str]) -> anyhow::Result<String> {
    let mut command = tokio::process::Command::new(binary("sluice")?);
    command.arg("orders").args(words).arg("--config");
    let ran = command
        .arg(set.stage.dir.join("operator.toml"))
        .output()
        .await?;
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let error = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "sluice orders {words:?}: {error}");
    Ok(said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_look_up_finds_the_entries_at_the_ledgers_own_server() -> anyhow::Result<()> {
    let set = split().await?;
    let (status, answer) = ask(&set, "looked-at", "7.00").await?;
    ensure!(status == 202, "{status} {answer}");
    let id = answer["data"]["withdrawOrderId"]
        .as_str()
        .context("an id")?;
    set.stage.wait_for_status(id, "success").await?;
    let url = set
        .stage
        .split_books
        .as_ref()
        .context("split")?
        .ledger
        .url();
    let sql = format!(
        "SELECT DISTINCT kind FROM {}.entry WHERE posting_id LIKE '{id}-%' ORDER BY kind",
        set.stage.schemas.ledger
    );
    let mut conn = sluice_contract::sql::connect(&url).await?;
    // The end is booked behind the caller's back.
    let begun = Instant::now();
    let booked = loop {
        let booked: Vec<String> = conn.query(&sql).await?;
        if booked == ["finalize", "reserve"] {
            break booked;
        }
        ensure!(begun.elapsed() < WAIT_TIMEOUT, "{booked:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    for verb in ["show", "history"] {
        let shown = sluice_orders(&set, &[verb, id]).await?;
        ensure!(
            booked.iter().all(|kind| shown.contains(kind.as_str())),
            "{verb}: {shown}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_behind_a_503_is_the_first_order_and_books_once() -> anyhow::Result<()> {
    let mut set = split().await?;
    half_made(&mut set, &["doubtful"]).await?;
    let (status, answer) = ask(&set, "doubtful", "7.00").await?;
    ensure!(status == 503, "a repeat was promised something: {answer}");
    let orders = &set.stage.schemas.orders;
    let sql = format!("SELECT order_id FROM {orders}.orders");
    let written: Vec<String> = set.stage.pool.get_conn().await?.query(sql).await?;
    ensure!(written.len() == 1, "{written:?}");
    let books = set.stage.split_books.as_mut().context("split")?;
    books.ledger.restart().await?;
    ready(&set, true).await?;
    let (status, answer) = ask(&set, "doubtful", "7.00").await?;
    ensure!(
        status == 202 && answer["data"]["withdrawOrderId"] == written[0].as_str(),
        "{status} {answer}"
    );
    set.stage.wait_for_status(&written[0], "success").await?;
    set.all_is_well().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_whose_booking_nobody_can_read_is_promised_nothing() -> anyhow::Result<()> {
    let mut set = split().await?;
    half_made(&mut set, &["spoilt", "forged"]).await?;
    let orders = set.stage.schemas.orders.clone();
    for (key, change) in [("spoilt", "currency='ZZZ'"), ("forged", "amount=amount+1")] {
        let update = format!(
            "UPDATE {orders}.booking_intent SET {change} WHERE order_id IN \
             (SELECT order_id FROM {orders}.orders WHERE biz_no='{key}')"
        );
        ensure!(change_unseen(&set, &update).await? == 1, "{update}");
    }
    let books = set.stage.split_books.as_mut().context("split")?;
    books.ledger.restart().await?;
    ready(&set, true).await?;
    for key in ["spoilt", "forged"] {
        let (status, answer) = ask(&set, key, "7.00").await?;
        ensure!(status == 503, "{key}: {status} {answer}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_somebody_holds_locked_fails_alone() -> anyhow::Result<()> {
    let set = split().await?;
    let (status, answer) = ask(&set, "first-1", "1.00").await?;
    ensure!(status == 202, "{status} {answer}");
    // Rows that another has written and not committed.
    let copy = format!(
        "START TRANSACTION; INSERT INTO {0}.idempotency SELECT client,\
         REPLACE(idempotency_key,'first-1','held-1'),request_hash,account_id,order_id,created_us \
         FROM {0}.idempotency WHERE idempotency_key LIKE '%first-1%'",
        set.stage.schemas.orders
    );
    let mut operator = set.stage.pool.get_conn().await?;
    operator.query_drop(copy).await?;
    let neighbours = (0..20).map(|n| {
        let set = &set;
        async move { ask(set, &format!("free-{n}"), "1.00").await }
    });
    let (held, neighbours) = tokio::join!(
        ask(&set, "held-1", "1.00"),
        futures_util::future::join_all(neighbours)
    );
    for answer in neighbours {
        let (status, answer) = answer?;
        ensure!(status == 202, "a neighbour got {status} {answer}");
    }
    let (status, answer) = held?;
    ensure!(status == 503, "the held name got {status} {answer}");
    operator.query_drop("ROLLBACK").await?;
    let (status, answer) = ask(&set, "held-1", "1.00").await?;
    ensure!(status == 202, "{status} {answer}");
    Ok(())
}
