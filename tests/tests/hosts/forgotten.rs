//! A database that has lost its last commits, as after a lossy failover: what a core
//! remembers of it is forgotten with it.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_forgotten_with_the_server_that_gave_it() -> anyhow::Result<()> {
    let mut set = servers().await?;
    let port = server_port(&set)?;
    lead_to(&mut set, port);
    set.stage.start_core().await?;
    fund(&set.stage.client, "F").await?;
    let lost = accepted_at_last(&set.stage.client, "F", "lossy").await?;
    let (status, repeat) = withdraw(&set.stage.client, "F", "lossy").await?;
    ensure!(status == 202 && repeat["data"]["withdrawOrderId"] == lost.as_str());

    let mut mariadb = set.stage.mariadb.take().context("a private server")?;
    // Two lives of a server are told apart by when they began, in seconds.
    tokio::time::sleep(Duration::from_secs(6)).await;
    mariadb.kill9()?;
    ready(&admin(&set), false, "database").await?;
    mariadb.restart().await?;
    lose(&set, &lost).await?;
    ready(&admin(&set), true, "").await?;
    let booked = accepted_at_last(&set.stage.client, "F", "lossy").await?;
    ensure!(
        booked != lost,
        "the answer names {lost}, which no database knows"
    );
    let order = set.stage.client.order(&booked).await?;
    ensure!(order.to_string().contains(&booked), "{order}");
    set.stage.mariadb = Some(mariadb);
    Ok(())
}

/// Takes the order out of every table, as if its commit had never been replicated.
async fn lose(set: &TestStage, order: &str) -> anyhow::Result<()> {
    let schemas = &set.stage.schemas;
    let (orders, balance, ledger) = (&schemas.orders, &schemas.balance, &schemas.ledger);
    for sql in [
        format!("DELETE FROM {orders}.idempotency WHERE order_id='{order}'"),
        format!("DELETE FROM {orders}.orders WHERE order_id='{order}'"),
        format!("DELETE FROM {orders}.order_transition WHERE order_id='{order}'"),
        format!("DELETE FROM {ledger}.entry WHERE ref='{order}'"),
        format!(
            "UPDATE {balance}.balance SET available=available+1,reserved=reserved-1 WHERE account_id='F'"
        ),
    ] {
        on_server(set, &sql).await?;
    }
    Ok(())
}
