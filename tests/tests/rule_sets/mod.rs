//! A rule's way through the whole system, by the commands that people use: an edit
//! survives a killed sidecar, runs beside the armed version, and two people arm it.

mod edits;
mod people;
mod suppressions;

use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_drill::setup::process::binary;
use sluice_tests::TestStage;
use std::time::{Duration, Instant};

const RULE_ID: &str = "balance_adds_up";

/// The text that `sluice rules …` prints, or its error, under a person's name.
async fn sluice(
    set: &TestStage,
    person: &str,
    words: &[&str],
) -> anyhow::Result<Result<String, String>> {
    sluice_of(set, "rules", person, words).await
}

/// The text that `sluice GROUP …` prints at the sidecar, or its error, under a person's name.
pub(crate) async fn sluice_of(
    set: &TestStage,
    group: &str,
    person: &str,
    words: &[&str],
) -> anyhow::Result<Result<String, String>> {
    let ran = tokio::process::Command::new(binary("sluice")?)
        .arg(group)
        .args(words)
        .args(["--sidecar", &set.stage.ports.url(set.stage.ports.sidecar)])
        .arg("--token-file")
        .arg(set.stage.dir.join("secrets/people").join(person))
        .output()
        .await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(if ran.status.success() {
        Ok(text(&ran.stdout))
    } else {
        Err(text(&ran.stderr))
    })
}

async fn done(set: &TestStage, person: &str, words: &[&str]) -> anyhow::Result<String> {
    sluice(set, person, words)
        .await?
        .map_err(|error| anyhow::anyhow!("{words:?}: {error}"))
}

/// Waits for a line of the list that begins so, with another hash than that; its words.
async fn listed(set: &TestStage, begins: &str, other_than: &str) -> anyhow::Result<Vec<String>> {
    let begun = Instant::now();
    loop {
        let list = sluice(set, "ann", &["list"])
            .await?
            .unwrap_or_else(|error| error);
        let line = list
            .lines()
            .find_map(|line| line.strip_prefix(begins))
            .unwrap_or_default();
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if words.first().is_some_and(|hash| hash != other_than) {
            return Ok(words);
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "{begins} is not in {list}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn numbers(set: &TestStage, sql: &str) -> anyhow::Result<Vec<i64>> {
    let sql = sql.replace("guard", &set.stage.schemas.guard);
    Ok(set.stage.pool.get_conn().await?.query(sql).await?)
}
