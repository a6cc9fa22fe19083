//! Nothing leaves unverified: without a sidecar that sees, orders wait, say why,
//! and go on when it is back.

mod blind;
mod stops;
mod waits;

use anyhow::ensure;
use sluice_drill::stage::client::UpstreamSubmit;
use sluice_tests::TestStage;
use std::time::{Duration, Instant};

/// Submits a withdrawal of A00001 under this number, and returns its order.
pub(super) async fn submit(set: &TestStage, name: &str) -> anyhow::Result<String> {
    let ask = UpstreamSubmit {
        from: "A00001".into(),
        to: "payee".into(),
        amount: "5.00".into(),
        transaction_id: name.into(),
        biz_no: name.into(),
        channel: "netsunion".into(),
    };
    set.stage.client.submit(&ask).await
}

/// The cause that the order says it waits for, once it says something with `word` in it.
async fn waits_for(set: &TestStage, order: &str, word: &str) -> anyhow::Result<String> {
    let begun = Instant::now();
    loop {
        let shown = set.stage.client.order(order).await?;
        let why = shown["waitsFor"].as_str().unwrap_or_default().to_owned();
        if why.contains(word) {
            ensure!(shown["status"] == "init", "{shown}");
            return Ok(why);
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "never waited for {word}: {shown}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
