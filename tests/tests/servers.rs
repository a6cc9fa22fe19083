//! Three servers, one sidecar: what is done by hand on any of them trips, and a token
//! waits for all of them.

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_drill::load;
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

/// Waits until the database has a verdict of this rule at a position of this server.
async fn found(set: &TestStage, rule: &str, server: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    let guard = &set.stage.schemas.guard;
    loop {
        let sql = format!(
            "SELECT COUNT(*) FROM {guard}.verdict WHERE rule='{rule}' AND position LIKE '{server}/%'"
        );
        let count: Option<u64> = set.stage.pool.get_conn().await?.query_first(sql).await?;
        if count.unwrap_or(0) > 0 {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "no {rule} of {server}: {:?}",
            set.verdicts().await?
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whether a rule can't see what it compares.
async fn asleep(set: &TestStage, rule: &str) -> anyhow::Result<bool> {
    let (_, body) = set.stage.client.read_sidecar("/rules").await?;
    let rules = body["data"]["rules"].as_array().context("no rules")?;
    let rule = rules
        .iter()
        .find(|r| r["id"] == rule)
        .context("no such rule")?;
    rule["asleep"].as_bool().context("it is not said")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_server_is_read_and_each_token_waits_for_all() -> anyhow::Result<()> {
    let mut set = TestStage::up(StageOptions {
        split_books: true,
        ..options()
    })
    .await?;
    let traffic = Traffic::new("three", 20);
    traffic.fund(&set.stage, 1_000).await?;
    let report = traffic.open(&set.stage, 50, Duration::from_secs(2)).await?;
    ensure!(report.succeeded() == 100, "{:?}", report.statuses);
    set.all_is_well().await?;
    // A rule that compares rows of two servers would find every booking wrong.
    ensure!(
        asleep(&set, "balance_moves_with_entries").await?,
        "it compares two servers"
    );
    for rule in [
        "provenance",
        "entries_balance",
        "balance_adds_up",
        "capture_has_payment",
    ] {
        ensure!(!asleep(&set, rule).await?, "{rule} sleeps");
    }

    // A frozen ledger: no token passes, and the sidecar names the server.
    set.stage
        .split_books
        .as_mut()
        .context("split_books")?
        .ledger
        .freeze()?;
    the_sidecar_names_the_ledger(&set).await?;
    set.stage
        .split_books
        .as_mut()
        .context("split_books")?
        .ledger
        .thaw()?;
    set.everything_is_evaluated().await?;

    a_fault_on_each_is_found(&set).await
}

async fn the_sidecar_names_the_ledger(set: &TestStage) -> anyhow::Result<()> {
    let address = set.stage.ports.address(set.stage.ports.sidecar);
    let begun = Instant::now();
    loop {
        let (status, body) = load::http::get(&address, "/ready").await?;
        let text = String::from_utf8_lossy(&body);
        if status == 503 && text.contains("position ledger") {
            break;
        }
        ensure!(begun.elapsed() < Duration::from_secs(20), "{status} {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn a_fault_on_each_is_found(set: &TestStage) -> anyhow::Result<()> {
    let split_books = set.stage.split_books.as_ref().context("split_books")?;
    let (balance, ledger) = (&set.stage.schemas.balance, &set.stage.schemas.ledger);
    let sql = format!(
        "UPDATE {balance}.balance SET balance=balance+1, available=available+1 WHERE account_id='A00003'"
    );
    split_books
        .balance_pool
        .get_conn()
        .await?
        .query_drop(sql)
        .await?;
    found(set, "provenance", "balance").await?;
    let sql = format!("DELETE FROM {ledger}.entry WHERE account_id='A00007' LIMIT 1");
    split_books
        .ledger_pool
        .get_conn()
        .await?
        .query_drop(sql)
        .await?;
    found(set, "provenance", "ledger").await?;
    let guard = &set.stage.schemas.guard;
    let sql = format!("SELECT COUNT(*) FROM {guard}.breaker WHERE state='open'");
    let open: Option<u64> = set.stage.pool.get_conn().await?.query_first(sql).await?;
    ensure!(
        open.unwrap_or(0) >= 6,
        "only {open:?} breakers are open, not three points for each of two accounts"
    );
    Ok(())
}
