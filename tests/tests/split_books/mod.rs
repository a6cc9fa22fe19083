//! Balance and ledger on servers of their own: load, refusals, a service that is
//! away, kills of everything; then the books of all three servers must add up.

mod kills;
mod lookup;
mod orders;

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_drill::load;
use sluice_tests::TestStage;
use std::time::{Duration, Instant};

async fn ask(set: &TestStage, key: &str, amount: &str) -> anyhow::Result<(u16, Value)> {
    let body = json!({ "fromAccountId": "A00001", "toAccountId": "payee", "amount": amount, "bizNo": key });
    set.stage
        .client
        .post("/withdraw", &body, &[("idempotent-key", key)])
        .await
}

/// The answer of `/ready`, once it is ready or not.
async fn ready(set: &TestStage, wanted: bool) -> anyhow::Result<Value> {
    let address = set.stage.ports.address(set.stage.ports.core_admin);
    let begun = Instant::now();
    loop {
        let (status, body) = load::http::get(&address, "/ready").await?;
        if (status == 200) == wanted {
            return Ok(serde_json::from_slice(&body)?);
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(30),
            "/ready stays {status}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
