//! The whole system on MySQL: orders live as on MariaDB, what is done by hand trips,
//! what the binlog never showed is found at rest, and its files can be played again.

use crate::recordings::of_files;
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, mysql_server, options};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn orders_and_a_manual_change() -> anyhow::Result<()> {
    let Some((_dir, server)) = mysql_server().await? else {
        return Ok(());
    };
    let set = TestStage::up(StageOptions {
        mysql_url: Some(server.url()),
        ..options()
    })
    .await?;
    let traffic = Traffic::new("mysql", 20);
    traffic.fund(&set.stage, 1_000).await?;
    let report = traffic.open(&set.stage, 50, Duration::from_secs(2)).await?;
    ensure!(report.succeeded() == 100, "{:?}", report.statuses);
    set.all_is_well().await?;

    hidden(&set, &server.url()).await?;
    let (balance, guard) = (&set.stage.schemas.balance, &set.stage.schemas.guard);
    let mut conn = set.stage.pool.get_conn().await?;
    conn.query_drop(format!(
        "UPDATE {balance}.balance SET balance=balance+1, available=available+1 WHERE account_id='A00009'"
    ))
    .await?;
    let begun = Instant::now();
    loop {
        let sql =
            format!("SELECT COUNT(*) FROM {guard}.breaker WHERE state='open' AND scope='account'");
        let open: Option<u64> = conn.query_first(sql).await?;
        if open.unwrap_or(0) >= 6 {
            break;
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "{open:?} breakers: {:?}",
            set.verdicts().await?
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (report, lines) = of_files(&set, &server.dir().join("data"))?;
    let fired: Vec<_> = report
        .rules
        .iter()
        .filter(|r| r.now.violations > 0)
        .map(|r| r.rule.as_str())
        .collect();
    ensure!(
        fired == ["balance_moves_with_entries", "provenance"],
        "{fired:?}: {lines}"
    );
    Ok(())
}

/// A balance raised where no binlog shows it: honest accounts are not suspected, this
/// one is found and stopped.
async fn hidden(set: &TestStage, url: &str) -> anyhow::Result<()> {
    let patience = Duration::from_secs(60);
    let run = set.stage.client.audit_now(patience).await?;
    ensure!(run["accounts"] == 20 && run["verdicts"] == 0, "{run}");
    let mut conn = sluice_contract::sql::connect(url).await?;
    conn.query_drop("SET SESSION sql_log_bin=0").await?;
    let balance = &set.stage.schemas.balance;
    let raise = format!(
        "UPDATE {balance}.balance SET balance=balance+7,available=available+7 WHERE account_id='A00003'"
    );
    conn.query_drop(raise).await?;
    let run = set.stage.client.audit_now(patience).await?;
    ensure!(run["openFindings"] == 1 && run["verdicts"] == 1, "{run}");
    let seen = set.verdicts().await?;
    ensure!(
        seen.len() == 1 && seen[0].starts_with("books_at_rest A00003 A00003/CNY: available+7"),
        "{seen:?}"
    );
    Ok(())
}
