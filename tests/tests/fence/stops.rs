//! A change that hides its rows stops everybody.

use crate::fence::{submit, waits_for};
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::Duration;

/// A change that the binlog tells without rows: nobody knows what it did, so everybody stops,
/// and the sidecar goes on seeing.
async fn stops_everybody(by_hand: &[String], set: &TestStage) -> anyhow::Result<()> {
    Traffic::new("wait", 2).fund(&set.stage, 1_000).await?;
    set.everything_is_evaluated().await?;
    let mut conn = set.stage.pool.get_conn().await?;
    for statement in by_hand {
        conn.query_drop(statement).await?;
    }
    let order = submit(set, "unseen-1").await?;
    let why = waits_for(set, &order, "breaker").await?;
    ensure!(why.contains("cash_out/all/*"), "{why}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    ensure!(
        set.stage.book().is_empty(),
        "money left past an unreadable change"
    );
    let verdicts = set.verdicts().await?;
    ensure!(
        verdicts.len() == 1 && verdicts[0].starts_with("statement_dml"),
        "{verdicts:?}"
    );
    set.everything_is_evaluated().await
}

#[tokio::test(flavor = "multi_thread")]
async fn statement_format_on_a_guarded_table_stops_everybody() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    let update = format!(
        "UPDATE {}.balance SET available=available+500,balance=balance+500 WHERE account_id='A00001'",
        set.stage.schemas.balance
    );
    let session = [
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SET SESSION binlog_format=STATEMENT",
    ];
    let by_hand: Vec<String> = session
        .iter()
        .map(|s| (*s).to_owned())
        .chain([update])
        .collect();
    stops_everybody(&by_hand, &set).await
}

#[tokio::test(flavor = "multi_thread")]
async fn truncating_the_ledger_stops_everybody() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    let truncate = format!("TRUNCATE TABLE {}.entry", set.stage.schemas.ledger);
    stops_everybody(&[truncate], &set).await
}
