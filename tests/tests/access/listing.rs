//! Lists of orders: what commits late is not passed over.

use crate::access::{Upstream, stage, start};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};
use std::time::Duration;

async fn made(by: &Upstream, key: &str) -> anyhow::Result<String> {
    let body = json!({ "fromAccountId": "A-1", "toAccountId": "payee", "amount": "1.00" });
    let answer = by.withdraw(key, &body).await?;
    answer.is(202, 0)?;
    let id = answer.body["data"]["withdrawOrderId"].as_str();
    Ok(id.context("no order")?.to_owned())
}

/// Follows the list until it has as many orders as wanted.
async fn follow(by: &Upstream, seen: &mut Vec<String>, wanted: usize) -> anyhow::Result<()> {
    for _ in 0..600 {
        let after = seen
            .last()
            .map_or(String::new(), |id| format!("&after={id}"));
        let page = by.get(&format!("/withdraw?limit=2{after}")).await?;
        page.is(200, 0)?;
        let ids = page.body["data"]["orders"].as_array().into_iter().flatten();
        seen.extend(ids.filter_map(|o| o["withdrawOrderId"].as_str().map(str::to_owned)));
        if seen.len() >= wanted {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("only {seen:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_the_list_sees_what_commits_late() -> anyhow::Result<()> {
    let mut set = stage("").await?;
    set.stage.options.core_extra += "\nlisting.delay_ms = 4000";
    start(&mut set, &[]).await?;
    let upstream = Upstream::nobody(&set)?;
    upstream
        .deposit("A-1", "100.00", "fund")
        .await?
        .is(202, 0)?;
    let first = made(&upstream, "k-1").await?;
    let late = made(&upstream, "k-2").await?;
    // The second's commit is still to come, as if its core were slow: nobody can see it
    // as this client's before the third is there.
    let mut conn = set.stage.pool.get_conn().await?;
    let schema = &set.stage.schemas.orders;
    let owned = format!("UPDATE {schema}.orders SET client=? WHERE order_id=?");
    conn.exec_drop(&owned, ("nobody", &late)).await?;
    let third = made(&upstream, "k-3").await?;
    let mut seen = Vec::new();
    let reading = follow(&upstream, &mut seen, 3);
    let committing = async {
        // Long after an order without the delay would have been passed.
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        anyhow::Ok(conn.exec_drop(&owned, ("local", &late)).await?)
    };
    let (read, committed) = tokio::join!(reading, committing);
    committed?;
    read?;
    ensure!(seen == [first, late, third], "{seen:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn young_orders_are_found_by_id_though_not_listed() -> anyhow::Result<()> {
    let mut set = stage("").await?;
    start(&mut set, &[]).await?;
    let upstream = Upstream::nobody(&set)?;
    upstream
        .deposit("A-1", "100.00", "fund")
        .await?
        .is(202, 0)?;
    let id = made(&upstream, "k-1").await?;
    let listed = upstream.get("/withdraw?limit=10").await?;
    ensure!(
        listed.body["data"]["orders"] == json!([]),
        "{}",
        listed.body
    );
    ensure!(
        listed.body["data"]["next"] == Value::Null,
        "{}",
        listed.body
    );
    let found = upstream.get("/withdraw?key=k-1").await?;
    ensure!(
        found.body["data"]["orders"][0]["withdrawOrderId"] == id,
        "{}",
        found.body
    );
    Ok(())
}
