//! Orders of a held account wait in a line of their own: they cost neither tokens nor
//! claims, crowd out nobody, and go as soon as the fence frees their account.

use crate::late::{column, submit, with};
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use serde_json::json;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::TestStage;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const HELD_ACCOUNT: &str = "A00001";
const HELD_ORDER_COUNT: usize = 300;

/// A sidecar that passes every token at once, and holds the accounts that the test says.
struct FenceServer {
    holds: watch::Sender<Vec<String>>,
}

impl FenceServer {
    async fn start(set: &TestStage) -> anyhow::Result<FenceServer> {
        let (holds, seen) = watch::channel(Vec::new());
        let listener = TcpListener::bind(set.stage.ports.address(set.stage.ports.sidecar)).await?;
        let (pool, guard) = (set.stage.pool.clone(), set.stage.schemas.guard.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(tell(stream, pool.clone(), guard.clone(), seen.clone()));
            }
        });
        Ok(FenceServer { holds })
    }
}

/// Tells the highest token and the holds, line by line.
async fn tell(
    mut stream: TcpStream,
    pool: mysql_async::Pool,
    guard: String,
    holds: watch::Receiver<Vec<String>>,
) -> anyhow::Result<()> {
    let mut request = [0; 4_096];
    let _ = stream.read(&mut request).await?;
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    loop {
        let mut conn = pool.get_conn().await?;
        let token = tokens(&mut conn, &guard).await?;
        let line = json!({ "token": token, "blind": null, "holds": &*holds.borrow() });
        drop(conn);
        stream.write_all(format!("{line}\n").as_bytes()).await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Tokens that the core has raised.
async fn tokens(conn: &mut mysql_async::Conn, guard: &str) -> anyhow::Result<u64> {
    let sql = format!("SELECT CAST(IFNULL(MAX(token),0) AS UNSIGNED) FROM {guard}.fence_token");
    Ok(conn.query_first(sql).await?.unwrap_or(0))
}

async fn raised(set: &TestStage) -> anyhow::Result<u64> {
    tokens(
        &mut set.stage.pool.get_conn().await?,
        &set.stage.schemas.guard,
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_accounts_orders_spin_through_no_claims() -> anyhow::Result<()> {
    let mut set = TestStage::prepare(with("")).await?;
    let fence = FenceServer::start(&set).await?;
    set.stage.start_core().await?;
    set.stage.wait_for_fence().await?;
    Traffic::new("held", 20).fund(&set.stage, 10_000).await?;
    fence.holds.send_replace(vec![HELD_ACCOUNT.into()]);
    let mut held = Vec::new();
    for n in 0..HELD_ORDER_COUNT {
        held.push(submit(&set, HELD_ACCOUNT, &format!("held{n}.payee")).await?);
    }
    let waiting = "sluice_core_blocked_orders{by=\"pair\"}";
    let begun = Instant::now();
    while set.stage.core_metric(waiting).await? < HELD_ORDER_COUNT as u64 {
        ensure!(
            begun.elapsed() < Duration::from_secs(40),
            "{} of them wait in the line",
            set.stage.core_metric(waiting).await?
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Ten polls' time: each retry would be a token and a claim.
    let before = raised(&set).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let spent = raised(&set).await? - before;
    ensure!(spent <= 3, "{spent} tokens for orders that can't go");
    let free = submit(&set, "A00002", "free.payee").await?;
    set.stage.wait_for_status(&free, "success").await?;
    for order in &held {
        ensure!(column(&set, order, "state").await? == "init");
    }

    fence.holds.send_replace(Vec::new());
    for order in &held {
        set.stage.wait_for_status(order, "success").await?;
    }
    ensure!(set.stage.book().len() == HELD_ORDER_COUNT + 1);
    Ok(())
}
