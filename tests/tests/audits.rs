//! Data at rest: what the binlog never showed is found, stops that account, and is
//! said once; honest load is never suspected; a purged position closes by itself.

use anyhow::{Context, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sluice_contract::sql;
use sluice_drill::stage::merchants::MerchantTraffic;
use sluice_drill::stage::traffic::Traffic;
use sluice_drill::stage::{DrillStage, StageOptions};
use sluice_tests::{TestStage, options, tail};
use std::time::{Duration, Instant};

const AUDIT_TIMEOUT: Duration = Duration::from_secs(60);

/// A person's connection whose changes are in no binlog.
async fn connect_without_binlog(url: &str) -> anyhow::Result<Conn> {
    let mut conn = sql::connect(url).await?;
    conn.query_drop("SET SESSION sql_log_bin=0").await?;
    Ok(conn)
}

/// Adds to an account's balance where nobody sees it.
async fn raise(stage: &DrillStage, account: &str, by: i32) -> anyhow::Result<()> {
    let url = stage
        .split_books
        .as_ref()
        .map_or(stage.url.clone(), |split_books| split_books.balance.url());
    let sql = format!(
        "UPDATE {}.balance SET available=available+?,balance=balance+? WHERE account_id=?",
        stage.schemas.balance
    );
    Ok(connect_without_binlog(&url)
        .await?
        .exec_drop(sql, (by, by, account))
        .await?)
}

/// `rule account item` of verdicts, and accounts with an open breaker.
async fn said(stage: &DrillStage) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let mut conn = stage.pool.get_conn().await?;
    let guard = &stage.schemas.guard;
    let verdicts = format!(
        "SELECT CONCAT_WS(' ',rule,account_id,item) FROM {guard}.verdict ORDER BY found_us,item"
    );
    let open = format!(
        "SELECT DISTINCT scope_key FROM {guard}.breaker WHERE state='open' ORDER BY scope_key"
    );
    Ok((conn.query(verdicts).await?, conn.query(open).await?))
}

async fn one(conn: &mut Conn, sql: String) -> anyhow::Result<i64> {
    conn.query_first(sql).await?.context("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_binlog_never_showed_is_found_stops_the_account_and_is_said_once()
-> anyhow::Result<()> {
    let mut set = TestStage::prepare(options()).await?;
    set.stage.start_core().await?;
    let traffic = Traffic::new("rest", 12);
    traffic.fund(&set.stage, 1_000).await?;
    // Before the sidecar was ever there.
    raise(&set.stage, "A00003", 7).await?;
    set.stage.start_sidecar().await?;
    set.stage.wait_for_fence().await?;
    let (verdicts, open) = said(&set.stage).await?;
    ensure!(
        verdicts == ["books_at_rest A00003 A00003/CNY: available+7.0000"],
        "{verdicts:?}"
    );
    ensure!(open == ["A00003"], "{open:?}");

    let stage = &set.stage;
    raise(stage, "A00005", 3).await?;
    let run = stage.client.audit_now(AUDIT_TIMEOUT).await?;
    ensure!(
        run["openFindings"] == 2 && run["verdicts"] == 1 && run["accounts"] == 12,
        "{run}"
    );
    // Honest traffic on the same account moves all figures; the difference is the same.
    traffic.open(stage, 40, Duration::from_secs(1)).await?;
    let run = stage.client.audit_now(AUDIT_TIMEOUT).await?;
    ensure!(
        run["openFindings"] == 2 && run["verdicts"] == 0,
        "said twice: {run}"
    );
    // Mended, and wrong again in the same way later: that is news.
    raise(stage, "A00005", -3).await?;
    let run = stage.client.audit_now(AUDIT_TIMEOUT).await?;
    ensure!(run["openFindings"] == 1, "{run}");
    raise(stage, "A00005", 3).await?;
    let run = stage.client.audit_now(AUDIT_TIMEOUT).await?;
    ensure!(run["openFindings"] == 2 && run["verdicts"] == 1, "{run}");
    let (verdicts, open) = said(stage).await?;
    ensure!(
        verdicts.len() == 3 && open == ["A00003", "A00005"],
        "{verdicts:?} {open:?}"
    );
    each_kind_is_found(&set).await
}

/// A fault of each kind that is looked at, all of them hidden.
async fn each_kind_is_found(set: &TestStage) -> anyhow::Result<()> {
    let stage = &set.stage;
    let merchants = MerchantTraffic::new("rest", 4);
    merchants.open(stage, 16, Duration::from_secs(1)).await?;
    // Those of the two stopped accounts wait.
    let left = stage.drain(10, Duration::from_secs(30)).await?;
    ensure!(left <= 10, "{left} orders have not ended");
    ensure!(
        stage.client.audit_now(AUDIT_TIMEOUT).await?["verdicts"] == 0,
        "merchants are honest: {:?}",
        said(stage).await?
    );
    let mut conn = connect_without_binlog(&stage.url).await?;
    let s = &stage.schemas;
    let order = format!(
        "SELECT order_id FROM {}.orders WHERE account_id='A00007' AND state='success' LIMIT 1",
        s.orders
    );
    let order: String = conn
        .query_first(order)
        .await?
        .context("an order of A00007")?;
    for fault in [
        format!(
            "UPDATE {}.capture SET captured=captured+9 WHERE account_id='M0001' LIMIT 1",
            s.balance
        ),
        format!(
            "UPDATE {}.capture SET refunded=0 WHERE account_id='M0002' AND refunded>0 LIMIT 1",
            s.balance
        ),
        format!(
            "DELETE FROM {}.entry WHERE account_id='A00008' AND line=0 LIMIT 1",
            s.ledger
        ),
        format!(
            "UPDATE {}.orders SET state='failed' WHERE order_id='{order}'",
            s.orders
        ),
        format!(
            "DELETE FROM {}.balance WHERE account_id='A00009'",
            s.balance
        ),
    ] {
        conn.query_drop(fault).await?;
    }
    stage.client.audit_now(AUDIT_TIMEOUT).await?;
    let (verdicts, open) = said(stage).await?;
    for wanted in [
        "captures_at_rest M0001",
        "captures_at_rest M0002",
        "postings_at_rest A00008",
        &format!("orders_at_rest A00007 A00007/{order} failed"),
        "books_at_rest A00009 A00009/CNY: available-",
    ] {
        ensure!(
            verdicts.iter().any(|v| v.starts_with(wanted)),
            "{wanted} is not in {verdicts:#?}"
        );
    }
    let wanted = [
        "A00003", "A00005", "A00007", "A00008", "A00009", "M0001", "M0002",
    ];
    ensure!(open == wanted, "{open:?}");
    Ok(())
}

/// More accounts than the usual budget of a rule lets it stop in an hour.
#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_change_of_many_accounts_stops_every_one_of_them() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("mass", 60).fund(&set.stage, 1_000).await?;
    set.everything_is_evaluated().await?;
    let sql = format!(
        "UPDATE {}.balance SET available=available+1,balance=balance+1",
        set.stage.schemas.balance
    );
    connect_without_binlog(&set.stage.url)
        .await?
        .query_drop(sql)
        .await?;
    let run = set.stage.client.audit_now(AUDIT_TIMEOUT).await?;
    ensure!(run["openFindings"] == 60 && run["verdicts"] == 60, "{run}");
    let (_, open) = said(&set.stage).await?;
    ensure!(
        open.len() == 60,
        "{} accounts are stopped: {open:?}",
        open.len()
    );
    let mut conn = set.stage.pool.get_conn().await?;
    let guard = &set.stage.schemas.guard;
    let demoted = format!("SELECT COUNT(*) FROM {guard}.rule_member WHERE demoted=1");
    ensure!(one(&mut conn, demoted).await? == 0, "a rule was disarmed");
    Ok(())
}

/// Runs one after the other while `load` lasts; how many there were.
async fn beside<T>(
    stage: &DrillStage,
    load: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<u64> {
    let mut load = std::pin::pin!(load);
    let mut runs = 0;
    loop {
        tokio::select! {
            done = &mut load => return done.map(|_| runs),
            run = stage.client.audit_now(AUDIT_TIMEOUT) => {
                run?;
                runs += 1;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn honest_load_is_never_suspected() -> anyhow::Result<()> {
    let extra = "audit.max_rows_per_second = 1000000".to_owned();
    let set = TestStage::up(StageOptions {
        sidecar_extra: extra,
        ..options()
    })
    .await?;
    let (traffic, merchants) = (
        Traffic::new("honest", 60),
        MerchantTraffic::new("honest", 10),
    );
    traffic.fund(&set.stage, 10_000).await?;
    let (rate, time) = (200, Duration::from_secs(5));
    let load = async {
        tokio::try_join!(
            traffic.open(&set.stage, rate, time),
            merchants.open(&set.stage, 60, time)
        )
    };
    let runs = beside(&set.stage, load).await?;
    ensure!(runs >= 5, "only {runs} runs beside the load");
    set.all_is_well().await?;
    let suspects = set
        .stage
        .sidecar_metric("sluice_sidecar_audit_suspects_total")
        .await?;
    ensure!(
        suspects == 0,
        "on one server a snapshot is one commit, yet {suspects} accounts were suspects"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn books_apart_are_compared_while_they_move() -> anyhow::Result<()> {
    let set = TestStage::up(StageOptions {
        split_books: true,
        ..options()
    })
    .await?;
    let traffic = Traffic::new("split_books", 30);
    traffic.fund(&set.stage, 10_000).await?;
    let runs = beside(
        &set.stage,
        traffic.open(&set.stage, 80, Duration::from_secs(5)),
    )
    .await?;
    ensure!(runs >= 1, "no run beside the load");
    set.all_is_well().await?;
    raise(&set.stage, "A00011", 2).await?;
    let run = set.stage.client.audit_now(AUDIT_TIMEOUT).await?;
    let (verdicts, open) = said(&set.stage).await?;
    ensure!(
        verdicts == ["books_at_rest A00011 A00011/CNY: available+2.0000"],
        "{verdicts:?} {run}"
    );
    ensure!(open == ["A00011"], "{open:?}");
    Ok(())
}

/// Forgets every binlog file but the newest.
async fn purge(stage: &DrillStage) -> anyhow::Result<()> {
    let mut conn = sql::connect(&stage.url).await?;
    // Whoever still reads an old file would keep it.
    let readers = "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'";
    for id in conn.query::<u64, _>(readers).await? {
        conn.query_drop(format!("KILL {id}")).await?;
    }
    conn.query_drop("FLUSH BINARY LOGS").await?;
    let begun = Instant::now();
    loop {
        let files: Vec<mysql_async::Row> = conn.query("SHOW BINARY LOGS").await?;
        let newest: String = files
            .last()
            .and_then(|row| row.get(0))
            .context("a binlog file")?;
        if files.len() == 1 {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < AUDIT_TIMEOUT,
            "the old binlog files are still in use"
        );
        conn.query_drop(format!("PURGE BINARY LOGS TO '{newest}'"))
            .await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purged_position_is_closed_by_itself_whatever_dies_meanwhile() -> anyhow::Result<()> {
    // Slow enough to be killed half-way.
    let extra = "audit.max_rows_per_second = 1000".to_owned();
    let mut set = TestStage::up(StageOptions {
        sidecar_extra: extra,
        ..options()
    })
    .await?;
    Traffic::new("before", 400).fund(&set.stage, 1_000).await?;
    set.everything_is_evaluated().await?;
    let mut sidecar = set.stage.sidecar.take().context("the sidecar")?;
    sidecar.kill9()?;
    // In the gap: honest money whose events will be read, and one fault.
    Traffic::new("gap", 400).fund(&set.stage, 500).await?;
    raise(&set.stage, "A00017", 9).await?;
    purge(&set.stage).await?;
    for _ in 0..3 {
        sidecar.restart()?;
        let begun = Instant::now();
        while set
            .stage
            .client
            .audit()
            .await
            .map_or(true, |note| note["running"]["reason"] != "gap")
        {
            ensure!(
                begun.elapsed() < AUDIT_TIMEOUT,
                "no gap is being closed: {}",
                sidecar.tail()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ensure!(
            !set.stage.client.sidecar_status().await?["data"]["blind"]["binlog"].is_null(),
            "it does not say it is blind"
        );
        sidecar.kill9()?;
    }
    let mut conn = set.stage.pool.get_conn().await?;
    let gaps = format!(
        "SELECT COUNT(*) FROM {}.gap WHERE from_position<>''",
        set.stage.schemas.guard
    );
    ensure!(
        one(&mut conn, gaps.clone()).await? == 0,
        "a gap was closed by a run that was killed"
    );
    sidecar.restart()?;
    sidecar
        .wait_ready(
            &set.stage.ports.address(set.stage.ports.sidecar),
            AUDIT_TIMEOUT,
        )
        .await?;
    set.stage.sidecar = Some(sidecar);
    ensure!(
        one(&mut conn, gaps).await? == 1,
        "{}",
        tail(&set.stage.dir.join("sidecar.log"))
    );
    // It sees again: what comes now is evaluated row by row, and nothing honest that
    // lay in the gap is missed by its event.
    set.stage.wait_for_fence().await?;
    Traffic::new("after", 400)
        .open(&set.stage, 50, Duration::from_secs(7))
        .await?;
    set.everything_is_evaluated().await?;
    let (verdicts, open) = said(&set.stage).await?;
    ensure!(verdicts.len() == 2, "{verdicts:#?}");
    ensure!(
        verdicts.contains(&"books_at_rest A00017 A00017/CNY: available+9.0000".to_owned()),
        "{verdicts:?}"
    );
    ensure!(
        verdicts.iter().any(|v| v.starts_with("gap ")),
        "{verdicts:?}"
    );
    ensure!(open == ["A00017"], "{open:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_a_person_deleted_accuses_nobody() -> anyhow::Result<()> {
    let mut set = TestStage::up(options()).await?;
    Traffic::new("before", 40).fund(&set.stage, 1_000).await?;
    set.everything_is_evaluated().await?;
    let mut sidecar = set.stage.sidecar.take().context("the sidecar")?;
    sidecar.kill9()?;
    // Its events will be read, its bookings lie before where the binlog begins again.
    Traffic::new("blind", 40).fund(&set.stage, 500).await?;
    let mut conn = set.stage.pool.get_conn().await?;
    conn.query_drop(format!(
        "DELETE FROM {}.checkpoint WHERE source='binlog'",
        set.stage.schemas.guard
    ))
    .await?;
    sidecar.restart()?;
    sidecar
        .wait_ready(
            &set.stage.ports.address(set.stage.ports.sidecar),
            AUDIT_TIMEOUT,
        )
        .await?;
    set.stage.sidecar = Some(sidecar);
    set.stage.wait_for_fence().await?;
    // Longer than any pair of the shipped rules may take.
    Traffic::new("after", 40)
        .open(&set.stage, 50, Duration::from_secs(7))
        .await?;
    set.everything_is_evaluated().await?;
    let (verdicts, open) = said(&set.stage).await?;
    ensure!(
        verdicts.is_empty() && open.is_empty(),
        "{verdicts:#?} {open:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_wait_a_person_decides() -> anyhow::Result<()> {
    let extra = "on_lost_position = \"wait\"".to_owned();
    let mut set = TestStage::up(StageOptions {
        sidecar_extra: extra,
        ..options()
    })
    .await?;
    set.everything_is_evaluated().await?;
    let mut sidecar = set.stage.sidecar.take().context("the sidecar")?;
    sidecar.kill9()?;
    Traffic::new("gap", 5).fund(&set.stage, 500).await?;
    purge(&set.stage).await?;
    sidecar.restart()?;
    let begun = Instant::now();
    loop {
        let blind = set
            .stage
            .client
            .sidecar_status()
            .await
            .map(|s| s["data"]["blind"]["binlog"].to_string());
        if blind.is_ok_and(|why| why.contains("position lost")) {
            break;
        }
        ensure!(begun.elapsed() < AUDIT_TIMEOUT, "it is not blind");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut conn = set.stage.pool.get_conn().await?;
    let gaps = format!("SELECT COUNT(*) FROM {}.gap", set.stage.schemas.guard);
    ensure!(one(&mut conn, gaps).await? == 0, "a gap was closed");
    Ok(())
}
