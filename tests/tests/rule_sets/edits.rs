//! An edit is on trial first, survives kills, and is armed by two people.

use crate::rule_sets::people::two_people;
use crate::rule_sets::{RULE_ID, done, listed, numbers};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_drill::faults::injection;
use sluice_drill::setup::copy_dir;
use sluice_drill::setup::secrets::random_hex;
use sluice_tests::{TestStage, options, seed};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The shipped rules in a folder that may be edited.
fn copied(from: &Path) -> anyhow::Result<TempDir> {
    let rules = tempfile::tempdir()?;
    copy_dir(from, rules.path())?;
    Ok(rules)
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout)]
async fn an_edit_survives_kills_and_is_armed_by_two() -> anyhow::Result<()> {
    let seed = seed();
    println!("seed: {seed} (set SLUICE_SEED to play it again)");
    let mut options = options();
    let rules = copied(&options.rules)?;
    options.rules = rules.path().to_owned();
    let mut set = TestStage::up(options).await?;
    let people = set.stage.dir.join("secrets/people");
    std::fs::create_dir_all(&people)?;
    for person in ["ann", "bob"] {
        std::fs::write(people.join(person), random_hex())?;
    }

    // Whatever is shipped can be armed: its cases pass and have seen every branch.
    listed(&set, &format!("{RULE_ID} "), "").await?;
    let list = done(&set, "ann", &["list"]).await?;
    let unready = list
        .lines()
        .filter(|line| line.contains("no case") || line.contains("case \""))
        .collect::<Vec<_>>();
    ensure!(unready.is_empty(), "{unready:?}");

    // Killed at any moment around an edit: the set is whole, and the edit is in it once.
    let file = rules.path().join(format!("{RULE_ID}.rhai"));
    let good = std::fs::read_to_string(&file)?;
    let mut sidecar = set
        .stage
        .sidecar
        .take()
        .context("the stage has a sidecar")?;
    let mut hash = String::new();
    for turn in 0..2_u64 {
        std::fs::write(&file, format!("{good}\n// turn {turn}\n"))?;
        tokio::time::sleep(Duration::from_millis((seed >> (8 * turn)) % 400)).await;
        sidecar.kill9()?;
        sidecar.restart()?;
        hash = listed(&set, &format!("└ edited: {RULE_ID}"), &hash)
            .await?
            .remove(0);
    }
    set.everything_is_evaluated().await?;
    the_sets_are_whole(&set).await?;
    both_versions_see_the_fault(&set).await?;
    two_people(&set, &hash).await
}

/// By hand: less available than the balance says.
async fn break_balance(set: &TestStage, account: &str) -> anyhow::Result<()> {
    let sql = format!(
        "UPDATE {}.balance SET available=available-1 WHERE account_id=?",
        set.stage.schemas.balance
    );
    Ok(set
        .stage
        .pool
        .get_conn()
        .await?
        .exec_drop(sql, (account,))
        .await?)
}

async fn both_versions_see_the_fault(set: &TestStage) -> anyhow::Result<()> {
    // Both versions see the fault, one verdict each; the armed one alone stops it.
    let account = "RULES1";
    injection::fund(&set.stage, account, Decimal::from(10_000)).await?;
    break_balance(set, account).await?;
    let begun = Instant::now();
    let ids = loop {
        let sql = format!(
            "SELECT verdict_id FROM {}.verdict WHERE rule='{RULE_ID}' AND account_id='{account}' ORDER BY mode DESC",
            set.stage.schemas.guard
        );
        let ids: Vec<String> = set.stage.pool.get_conn().await?.query(sql).await?;
        if ids.len() == 2 {
            break ids;
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "{:?}",
            set.verdicts().await?
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let armed = done(set, "ann", &["explain", &ids[0]]).await?;
    for part in [
        "A balance is what is available",
        "it stops money",
        account,
        "cash_out/account/",
        "now open",
        "What to do",
    ] {
        ensure!(armed.contains(part), "{part} is not in:\n{armed}");
    }
    let shadow = done(set, "ann", &["explain", &ids[1]]).await?;
    ensure!(
        shadow.contains("on trial") && shadow.contains("Stopped   nothing"),
        "{shadow}"
    );
    Ok(())
}

async fn the_sets_are_whole(set: &TestStage) -> anyhow::Result<()> {
    let versions = numbers(set, "SELECT version FROM guard.rule_set ORDER BY version").await?;
    let last = versions.len() as i64;
    ensure!(
        versions == (1..=last).collect::<Vec<_>>() && last <= 3,
        "{versions:?}"
    );
    let held = numbers(
        set,
        "SELECT COUNT(*) FROM guard.rule_member GROUP BY version ORDER BY version",
    )
    .await?;
    ensure!(held[1..].iter().all(|n| *n == held[0] + 1), "{held:?}");
    Ok(())
}
