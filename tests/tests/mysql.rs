//! The whole system on MySQL: orders live as on MariaDB, and what is done by hand trips.

use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_drill::setup::{Mysql, mysql};
use sluice_drill::stage::Options;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{Set, options};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout)]
async fn orders_and_a_manual_change() -> anyhow::Result<()> {
    if mysql::program().is_none() && std::env::var_os("SLUICE_NEED_MYSQL").is_none() {
        println!("skipped: there is no MySQL here, run scripts/mysql");
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let server = Mysql::start(dir.path(), &[]).await?;
    let set = Set::up(Options { mysql_url: Some(server.url()), ..options() }).await?;
    let traffic = Traffic::new("mysql", 20);
    traffic.fund(&set.stage, 1_000).await?;
    let report = traffic.open(&set.stage, 50, Duration::from_secs(2)).await?;
    ensure!(report.succeeded() == 100, "{:?}", report.statuses);
    set.all_is_well().await?;

    let (balance, guard) = (&set.stage.schemas.balance, &set.stage.schemas.guard);
    let mut conn = set.stage.pool.get_conn().await?;
    conn.query_drop(format!("UPDATE {balance}.balance SET balance=balance+1, available=available+1 LIMIT 1")).await?;
    let begun = Instant::now();
    loop {
        let sql = format!("SELECT COUNT(*) FROM {guard}.breaker WHERE state='open' AND scope='account'");
        let open: Option<u64> = conn.query_first(sql).await?;
        if open.unwrap_or(0) >= 3 {
            return Ok(());
        }
        ensure!(begun.elapsed() < Duration::from_secs(20), "{open:?} breakers: {:?}", set.verdicts().await?);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
