//! A position that the server has purged waits for a person; or it is closed by an audit,
//! and a person.

use crate::audits::{AUDIT_TIMEOUT, one, raise, said};
use crate::rule_sets::sluice_of;
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_contract::sql;
use sluice_drill::setup::ChildProcess;
use sluice_drill::setup::secrets::random_hex;
use sluice_drill::stage::traffic::Traffic;
use sluice_drill::stage::{DrillStage, StageOptions};
use sluice_tests::{TestStage, options, tail};
use std::time::{Duration, Instant};

/// Verdicts and open breakers, but for what is said to be unknown: events that were published
/// while nobody read accuse nobody.
async fn accused(stage: &DrillStage) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let (mut verdicts, open) = said(stage).await?;
    verdicts.retain(|verdict| !verdict.ends_with(" unknown"));
    Ok((verdicts, open))
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
    let extra = "audit.max_rows_per_second = 1000\non_lost_position = \"check\"".to_owned();
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
        a_gap_is_being_closed(&set.stage, &sidecar).await?;
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
    let (verdicts, open) = accused(&set.stage).await?;
    ensure!(verdicts.len() == 2, "{verdicts:#?}");
    ensure!(
        verdicts.contains(&"books_at_rest A00017 A00017/CNY: available+9.0000".to_owned()),
        "{verdicts:?}"
    );
    ensure!(
        verdicts.iter().any(|v| v.starts_with("gap ")),
        "{verdicts:?}"
    );
    // Balanced books don't show another payee: everybody waits for a person.
    ensure!(open == ["*", "A00017"], "{open:?}");
    the_gap_is_answered_by_two(&set).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_a_person_deleted_is_no_first_start() -> anyhow::Result<()> {
    let mut set = TestStage::up(options()).await?;
    Traffic::new("before", 40).fund(&set.stage, 1_000).await?;
    set.everything_is_evaluated().await?;
    let mut sidecar = set.stage.sidecar.take().context("the sidecar")?;
    sidecar.kill9()?;
    // Its events will be read, its bookings lie before where the binlog begins again.
    Traffic::new("blind", 40).fund(&set.stage, 500).await?;
    let mut conn = set.stage.pool.get_conn().await?;
    // Nor has this host a copy: another one takes over.
    std::fs::remove_dir_all(set.stage.dir.join("state"))?;
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
    let (verdicts, open) = accused(&set.stage).await?;
    // What lay between was not read, and honest business is accused of nothing.
    let told: Vec<&str> = verdicts
        .iter()
        .filter_map(|said| said.split(' ').next())
        .collect();
    ensure!(told == ["gap", "guard_row"], "{verdicts:#?}");
    ensure!(verdicts[1].ends_with("checkpoint"), "{verdicts:#?}");
    ensure!(open == ["*"], "{open:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn told_nothing_a_person_decides() -> anyhow::Result<()> {
    let mut set = TestStage::up(options()).await?;
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
    let gaps = format!(
        "SELECT COUNT(*) FROM {}.gap WHERE from_position<>''",
        set.stage.schemas.guard
    );
    ensure!(one(&mut conn, gaps).await? == 0, "a gap was closed");
    Ok(())
}

/// Each point is let go by two people, who answer the gap's verdict with it.
async fn the_gap_is_answered_by_two(set: &TestStage) -> anyhow::Result<()> {
    let people = set.stage.dir.join("secrets/people");
    std::fs::create_dir_all(&people)?;
    for person in ["ann", "bob"] {
        std::fs::write(people.join(person), random_hex())?;
    }
    let held = Traffic::new("held", 401);
    held.open(&set.stage, 20, Duration::from_secs(1)).await?;
    let mut conn = set.stage.pool.get_conn().await?;
    let guard = &set.stage.schemas.guard;
    let waiting = format!(
        "SELECT COUNT(*) FROM {}.orders WHERE state='init'",
        set.stage.schemas.orders
    );
    ensure!(one(&mut conn, waiting).await? > 0, "money left after a gap");
    for point in ["cash_out", "settlement", "refund"] {
        let words = [
            "reset",
            point,
            "all",
            "*",
            "--reason",
            "compared with the channels",
        ];
        let refused = sluice_of(set, "breakers", "ann", &words)
            .await?
            .err()
            .unwrap_or_default();
        ensure!(
            point != "cash_out" || refused.contains("--answers"),
            "{refused}"
        );
        let id = format!("SELECT verdict_id FROM {guard}.verdict WHERE rule='gap'");
        let id: String = conn.query_first(id).await?.context("the gap's verdict")?;
        let proposed = sluice_of(
            set,
            "breakers",
            "ann",
            &[&words[..], &["--answers", &id]].concat(),
        )
        .await?;
        ensure!(proposed.is_ok(), "{proposed:?}");
        let hash = format!("SELECT rule_hash FROM {guard}.rule_proposal WHERE step='reset'");
        let hash: String = conn.query_first(hash).await?.context("the proposal")?;
        let subject = format!("{point}/all/*");
        let yes = ["approve", &subject, "--step", "reset", "--hash", &hash];
        let own = sluice_of(set, "breakers", "ann", &yes).await?;
        ensure!(own.is_err(), "one person let everybody go");
        let approved = sluice_of(set, "breakers", "bob", &yes).await?;
        ensure!(approved.is_ok(), "{approved:?}");
    }
    let (_, open) = said(&set.stage).await?;
    ensure!(open == ["A00017"], "{open:?}");
    let answered = format!(
        "SELECT COUNT(*) FROM {guard}.verdict WHERE rule='gap' AND life='answered' AND answered_by='bob'"
    );
    ensure!(
        one(&mut conn, answered).await? == 1,
        "nobody answered the gap"
    );
    Ok(())
}

async fn a_gap_is_being_closed(stage: &DrillStage, sidecar: &ChildProcess) -> anyhow::Result<()> {
    let begun = Instant::now();
    while stage
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
    Ok(())
}
