//! A backtest finds what the sidecar found live.

use crate::recordings::{as_is, of_files, recording, rules, run, trial};
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_drill::faults::{FaultKind, injection};
use sluice_drill::stage::traffic::Traffic;
use sluice_sidecar::backtest;
use sluice_tests::{TestStage, options};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The ids of a backtest's verdicts.
fn ids(lines: &str) -> anyhow::Result<BTreeSet<String>> {
    let id = |line: &str| {
        let verdict: serde_json::Value = serde_json::from_str(line)?;
        Ok(verdict["verdictId"].as_str().context("no id")?.to_owned())
    };
    lines.lines().map(id).collect()
}

async fn live_ids(set: &TestStage) -> anyhow::Result<BTreeSet<String>> {
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!("SELECT verdict_id FROM {}.verdict", set.stage.schemas.guard);
    Ok(conn.query::<String, _>(sql).await?.into_iter().collect())
}

/// Load, and a fault of every kind, each cleaned up.
async fn a_day(set: &TestStage) -> anyhow::Result<()> {
    let traffic = Traffic::new("recorded", 40);
    traffic.fund(&set.stage, 1_000).await?;
    traffic
        .open(&set.stage, 100, Duration::from_secs(2))
        .await?;
    for kind in FaultKind::ALL {
        injection::fund(&set.stage, &injection::account_of(kind), 10_000.into()).await?;
        let made = injection::make(&set.stage, kind).await?;
        let seen = injection::watch(&set.stage, &made).await?;
        ensure!(seen.detected, "{seen:?}");
        injection::clean_up(&set.stage, &made).await?;
    }
    set.stage.drain(0, Duration::from_secs(30)).await?;
    set.everything_is_evaluated().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backtest_finds_what_live_found_whatever_the_workers() -> anyhow::Result<()> {
    let place = tempfile::tempdir()?;
    let dir = place.path().join("recording");
    let mut options = options();
    options.sidecar_extra = format!(
        "recording = {{ dir = \"{}\", max_mb = 64 }}\nworkers = 2",
        dir.display()
    );
    let mut set = TestStage::up(options).await?;
    a_day(&set).await?;
    // Killed in the middle of a block: what it records is read again, and what it
    // evaluated again is no second verdict.
    let mut sidecar = set.stage.sidecar.take().context("no sidecar")?;
    sidecar.kill9()?;
    sidecar.restart()?;
    set.everything_is_evaluated().await?;
    let live = live_ids(&set).await?;
    sidecar.terminate(Duration::from_secs(15)).await?;
    ensure!(live.len() >= 5, "only {live:?}");

    let (report, lines) = run(recording(&dir)?, &trial(as_is(&set)?, None, 1))?;
    ensure!(
        report.seen.starts >= 2 && report.seen.gaps == 0,
        "{:?}",
        report.seen
    );
    ensure!(
        report.seen.notes.len() == 1 && report.seen.notes[0].contains("killed"),
        "{:?}",
        report.seen.notes
    );
    let found = ids(&lines)?;
    // kill -9 may have cut what was evaluated last; then it was evaluated again.
    ensure!(
        found == live,
        "only live: {:?}; only here: {:?}",
        live.difference(&found),
        found.difference(&live)
    );
    let exact = serde_json::to_string(&report)?;
    for workers in [1, 4] {
        let (again, same) = run(recording(&dir)?, &trial(as_is(&set)?, None, workers))?;
        ensure!(
            same == lines && serde_json::to_string(&again)? == exact,
            "{workers} workers said something else"
        );
    }
    edited(&set, &dir)?;
    let (report, lines) = of_files(&set, &set.stage.dir.join("mariadb/data"))?;
    let found = |rule: &str| {
        report
            .rules
            .iter()
            .find(|r| r.rule == rule)
            .map_or(0, |r| r.now.violations)
    };
    ensure!(
        found("provenance") == 1 && found("one_key_per_business_order") == 1,
        "{lines}"
    );
    ensure!(
        found("booking_has_payment") == 0,
        "nothing is missing where nothing can come: {lines}"
    );
    Ok(())
}

/// A rule that takes honest orders for wrong ones: told before it is armed.
fn edited(set: &TestStage, dir: &Path) -> anyhow::Result<()> {
    let wrong = rules(set, |id, text| match id {
        "amount_matches_event" => text.replace(
            "order.amount == request.amount",
            "order.amount > request.amount",
        ),
        _ => text.to_owned(),
    })?;
    let (report, _) = run(
        recording(dir)?,
        &trial(Arc::clone(&wrong), Some(as_is(set)?), 2),
    )?;
    let rule = report
        .rules
        .iter()
        .find(|rule| rule.rule == "amount_matches_event")
        .context("no such rule")?;
    // Two hundred honest orders newly fire; the order of a hundred times too much no longer does.
    ensure!(
        rule.new >= 200 && rule.gone == 1,
        "{} new, {} gone",
        rule.new,
        rule.gone
    );
    let held =
        |held: &backtest::what_if::BreakerEffects| held.held.get("CNY").map_or(0, |sum| sum.orders);
    let (now, then) = (
        held(&report.held),
        report.held_then.as_ref().map_or(0, held),
    );
    ensure!(
        now >= 100 && now > then,
        "{now} orders would have been held, {then} with the rules as they are"
    );
    // Backwards it is the other way round.
    let (back, _) = run(recording(dir)?, &trial(as_is(set)?, Some(wrong), 2))?;
    let rule = back
        .rules
        .iter()
        .find(|rule| rule.rule == "amount_matches_event")
        .context("no such rule")?;
    ensure!(
        rule.new == 1 && rule.gone >= 200,
        "{} new, {} gone",
        rule.new,
        rule.gone
    );
    Ok(())
}
