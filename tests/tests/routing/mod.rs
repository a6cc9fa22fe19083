//! Routing on the real stage: a change holds at once, limits hold over instances,
//! what waits says why, and what was rejected stays with the order.

mod another_channel;
mod attempts;
mod changes;
mod day;
mod files;
mod limits;
mod rules;

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sluice_drill::setup::process::binary;
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::client::StageClient;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const BOTH_CHANNELS: &str =
    "[[channel]]\nid = \"netsunion\"\npriority = 1\n[[channel]]\nid = \"unionpay\"\npriority = 2\n";

/// Runs `sluice routing …`: whether it went well, and what it said.
fn sluice(args: &[&str], config: Option<&Path>) -> anyhow::Result<(bool, String)> {
    let mut command = Command::new(binary("sluice")?);
    command.arg("routing").args(args);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    let ran = command.output()?;
    let text =
        String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    Ok((ran.status.success(), text))
}

/// A stage whose routing is changed as an operator does.
struct RoutedStage {
    set: TestStage,
}

impl RoutedStage {
    async fn up(accounts: u64) -> anyhow::Result<Self> {
        RoutedStage::with(options(), accounts).await
    }

    async fn with(options: StageOptions, accounts: u64) -> anyhow::Result<Self> {
        let set = TestStage::up(options).await?;
        Traffic::new("route", accounts)
            .fund(&set.stage, 1_000)
            .await?;
        Ok(RoutedStage { set })
    }

    fn run(&self, args: &[&str]) -> anyhow::Result<(bool, String)> {
        sluice(args, Some(&self.set.stage.dir.join("operator.toml")))
    }

    /// Puts a file in force; returns what was said.
    fn apply(&self, text: &str) -> anyhow::Result<String> {
        let path = self.set.path().join("routing.toml");
        std::fs::write(&path, text)?;
        let path = path.display().to_string();
        let (well, said) = self.run(&["apply", &path, "--author", "test", "--reason", "drill"])?;
        ensure!(well, "{text}\n→ {said}");
        Ok(said)
    }

    async fn submit(&self, name: &str, more: Value) -> anyhow::Result<String> {
        submit(&self.set.stage.client, name, more).await
    }

    /// Submits, waits for success, and returns what is shown.
    async fn paid(&self, name: &str, more: Value) -> anyhow::Result<Value> {
        let order = self.submit(name, more).await?;
        self.set.stage.wait_for_status(&order, "success").await?;
        self.set.stage.client.order(&order).await
    }

    /// The order once it says that it waits for `word`.
    async fn waits_for(&self, order: &str, word: &str) -> anyhow::Result<Value> {
        let begun = Instant::now();
        loop {
            let shown = self.set.stage.client.order(order).await?;
            if shown["waitsFor"]
                .as_str()
                .is_some_and(|why| why.contains(word))
            {
                return Ok(shown);
            }
            ensure!(
                begun.elapsed() < Duration::from_secs(20),
                "never waited for {word}: {shown}\n{}",
                sluice_tests::tail(&self.set.stage.dir.join("core.log"))
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn submit(client: &StageClient, name: &str, more: Value) -> anyhow::Result<String> {
    let mut body = json!({ "fromAccountId": "A00001", "toAccountId": "payee", "amount": "1.25", "currency": "CNY",
                           "transactionId": name, "userId": "u0" });
    for (field, value) in more.as_object().into_iter().flatten() {
        body[field] = value.clone();
    }
    let (status, answer) = client.post("/withdraw/submit", &body, &[]).await?;
    let id = answer["data"]["withdrawOrderId"]
        .as_str()
        .map(str::to_owned);
    id.filter(|_| status == 202)
        .with_context(|| format!("{status} {answer}"))
}

/// `chosen|channel by|…`
fn route_text(order: &Value) -> String {
    let mut text = order["route"]["chosen"].as_str().unwrap_or("-").to_owned();
    for r in order["route"]["rejected"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "|{} {}",
            r["channel"].as_str().unwrap_or("?"),
            r["by"].as_str().unwrap_or("?")
        ));
    }
    text
}

/// `number channel state live` of each try.
async fn attempts(set: &TestStage, order: &str) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "SELECT CONCAT_WS(' ',attempt_no,channel,state,IFNULL(live,'NULL')) FROM {}.attempt WHERE order_id='{order}' \
         ORDER BY attempt_no",
        set.stage.schemas.orders
    );
    Ok(set.stage.pool.get_conn().await?.query(sql).await?)
}

/// The sum counted of account A00001 now, in one look.
async fn counted(set: &TestStage) -> anyhow::Result<Decimal> {
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "SELECT IFNULL(SUM(amount),0) FROM {}.orders WHERE account_id='A00001' AND attempts>0 \
         AND state NOT IN ('failed','returned')",
        set.stage.schemas.orders
    );
    Ok(conn.query_first(sql).await?.unwrap_or_default())
}
