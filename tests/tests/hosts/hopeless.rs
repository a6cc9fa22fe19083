//! A caller that asks for what can't be booked, again and again.

use super::*;

const REQUESTS: u64 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn hopeless_requests_cost_one_transaction_each_not_two() -> anyhow::Result<()> {
    let mut set = servers().await?;
    let port = server_port(&set)?;
    lead_to(&mut set, port);
    set.stage.start_core().await?;
    fund(&set.stage.client, "P").await?;
    let before = transactions(&set).await?;
    for n in 0..REQUESTS {
        let body = json!({ "fromAccountId": "P", "toAccountId": "payee", "amount": "9999.00" });
        let key = format!("hopeless-{n}");
        let headers = [("idempotent-key", key.as_str())];
        let (status, answer) = set.stage.client.post("/withdraw", &body, &headers).await?;
        ensure!(answer["code"] == 42202, "{status} {answer}");
    }
    let begun = transactions(&set).await? - before;
    // The rest are the core's own loops.
    ensure!(
        begun < REQUESTS + REQUESTS / 2,
        "{begun} transactions for {REQUESTS} requests"
    );
    Ok(())
}

/// Transactions that the server has begun.
async fn transactions(set: &TestStage) -> anyhow::Result<u64> {
    let mut conn = set.stage.pool.get_conn().await?;
    let row: Option<(String, u64)> = conn
        .query_first("SHOW GLOBAL STATUS LIKE 'Com_begin'")
        .await?;
    Ok(row.context("a counter")?.1)
}
