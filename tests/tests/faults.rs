//! One fault of each kind of loss, through the same code as the demo: found by a
//! rule, stopped at the narrowest breaker, nothing leaves, and a person resets.

use anyhow::ensure;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_drill::faults::{FaultKind, injection, signed};
use sluice_drill::setup::copy_dir;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_loss_is_found_and_nothing_leaves() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    for kind in FaultKind::ALL {
        let account = injection::account_of(kind);
        injection::fund(&set.stage, &account, Decimal::from(10_000)).await?;
        let made = injection::make(&set.stage, kind).await?;
        let seen = injection::watch(&set.stage, &made).await?;
        ensure!(seen.detected && seen.leaked.is_zero(), "{seen:?}");
        ensure!(
            seen.breaker == format!("cash_out/account/{account}"),
            "{seen:?}"
        );
        injection::clean_up(&set.stage, &made).await?;
    }
    ensure!(
        set.stage.drain(0, Duration::from_secs(30)).await? == 0,
        "an order has not ended"
    );
    let expected: Vec<String> = FaultKind::ALL.map(injection::account_of).to_vec();
    let counts =
        sluice_drill::checks::counts(&set.stage.pool, &set.stage.schemas, &expected).await?;
    ensure!(counts.false_positives == 0, "{:?}", set.verdicts().await?);
    let held = set.stage.invariants().await?;
    ensure!(held.all_hold(), "{:?}", held.problems);
    Ok(())
}

/// The faults' accounts by number, so that each has a verdict of its own.
async fn by_hand(set: &TestStage, n: u32) -> anyhow::Result<()> {
    let mut conn = set.stage.pool.get_conn().await?;
    let account = format!("A{n:05}");
    signed::adjust(
        &mut conn,
        &set.stage.schemas,
        None,
        &account,
        Decimal::ONE,
        &format!("by-hand-{n}"),
    )
    .await
}

async fn verdicts_of(set: &TestStage, rule: &str) -> anyhow::Result<Vec<(String, u32)>> {
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "SELECT account_id,COUNT(*) FROM {}.verdict WHERE rule=? GROUP BY account_id ORDER BY account_id",
        set.stage.schemas.guard
    );
    Ok(conn.exec(sql, (rule,)).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_resumed_by_gtid_no_verdict_is_lost_or_doubled() -> anyhow::Result<()> {
    let mut set = TestStage::up(options()).await?;
    let accounts = 60;
    Traffic::new("gtid", accounts)
        .fund(&set.stage, 1_000)
        .await?;
    let mut sidecar = set.stage.sidecar.take().expect("the stage has a sidecar");
    // Faults before, while it is dead, and while it comes back.
    for n in 0..accounts as u32 {
        match n {
            10 | 30 | 45 => sidecar.kill9()?,
            20 | 35 | 46 => sidecar.restart()?,
            _ => {}
        }
        by_hand(&set, n).await?;
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let begun = Instant::now();
    let mut found = Vec::new();
    while found.len() < accounts as usize && begun.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        found = verdicts_of(&set, "provenance").await?;
    }
    ensure!(
        found.len() == accounts as usize,
        "{} of {accounts} faults were found",
        found.len()
    );
    // Once more from the start of what it remembers: the same verdicts, once each.
    sidecar.kill9()?;
    sidecar.restart()?;
    set.everything_is_evaluated().await?;
    let again = verdicts_of(&set, "provenance").await?;
    ensure!(
        again == found && again.iter().all(|(_, times)| *times == 1),
        "doubled: {again:?}"
    );
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "SELECT COUNT(*),MAX(version) FROM {}.breaker_transition",
        set.stage.schemas.guard
    );
    let moves: Option<(u64, u64)> = conn.query_first(sql).await?;
    // A manual change stops the account at all three points.
    ensure!(
        moves == Some((3 * accounts, 1)),
        "each breaker moved once: {moves:?}"
    );
    Ok(())
}

const RULES_VERSION_METRIC: &str = "sluice_sidecar_rules_version";
const RELOAD_FAILURES_METRIC: &str = "sluice_sidecar_rule_reload_failures_total";

/// Waits until the sidecar counts more than this.
async fn grown(set: &TestStage, metric: &str, than: u64) -> anyhow::Result<()> {
    let begun = Instant::now();
    while set.stage.sidecar_metric(metric).await? <= than {
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "{metric} stays at {than}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_reloaded_under_load_all_or_nothing() -> anyhow::Result<()> {
    let mut options = options();
    let rules = tempfile::tempdir()?;
    copy_dir(&options.rules, rules.path())?;
    options.rules = rules.path().to_owned();
    let set = TestStage::up(options).await?;
    let traffic = Traffic::new("reload", 50);
    traffic.fund(&set.stage, 10_000).await?;
    let hash =
        || async { anyhow::Ok(set.stage.client.sidecar_status().await?["data"].to_string()) };
    let rule = rules.path().join("balance_adds_up.rhai");
    let good = std::fs::read_to_string(&rule)?;
    let (report, reloaded) = tokio::join!(
        traffic.open(&set.stage, 150, Duration::from_secs(8)),
        async {
            for turn in 0..5 {
                let version = set.stage.sidecar_metric(RULES_VERSION_METRIC).await?;
                std::fs::write(&rule, format!("{good}\n// turn {turn}\n"))?;
                grown(&set, RULES_VERSION_METRIC, version).await?;
                let refused = set.stage.sidecar_metric(RELOAD_FAILURES_METRIC).await?;
                std::fs::write(&rule, "fn check(row) { this is not a rule")?;
                grown(&set, RELOAD_FAILURES_METRIC, refused).await?;
            }
            anyhow::Ok(())
        }
    );
    reloaded?;
    report?;
    ensure!(
        set.stage
            .sidecar_metric("sluice_sidecar_rules_loaded")
            .await?
            >= 8,
        "the last good set is gone"
    );
    // The set that is loaded still stops faults, and a mended file loads.
    let before = hash().await?;
    by_hand(&set, 7).await?;
    std::fs::write(&rule, format!("{good}\n// mended\n"))?;
    let begun = Instant::now();
    while hash().await? == before || verdicts_of(&set, "provenance").await?.is_empty() {
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "not mended or not found: {before}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    set.stage.drain(0, Duration::from_secs(30)).await?;
    let counts =
        sluice_drill::checks::counts(&set.stage.pool, &set.stage.schemas, &["A00007".to_owned()])
            .await?;
    ensure!(counts.false_positives == 0, "{:?}", set.verdicts().await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_thousands_by_hand_stops_everybody() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("mass", 4_000).fund(&set.stage, 100).await?;
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "UPDATE {}.balance SET balance=balance+1,available=available+1",
        set.stage.schemas.balance
    );
    conn.query_drop(sql).await?;
    let open = format!(
        "SELECT CONCAT(scope,'/',scope_key) FROM {}.breaker WHERE state='open'",
        set.stage.schemas.guard
    );
    let begun = Instant::now();
    loop {
        let open: Vec<String> = conn.query(&open).await?;
        if open.contains(&"all/*".to_owned()) {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "open: {} breakers; {:?}",
            open.len(),
            set.verdicts().await?.last()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
