//! A channel's secret is changed while orders flow, and not one call fails; what
//! can't be used is refused by name; and no log ever holds a secret.

use anyhow::{Context, ensure};
use sluice_drill::channels::SimulatorKind;
use sluice_drill::setup::secrets::random_hex;
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::path::{Path, PathBuf};
use std::time::Duration;

const ORDERS_PER_S: u64 = 60;
const LOAD_TIME: Duration = Duration::from_secs(9);
/// Longer than both sides take to see a change of their files.
const SECRET_RELOAD_WAIT: Duration = Duration::from_millis(1_800);

/// Replaces a file whole, as `docs/ADD-A-CHANNEL.md` says.
fn put(dir: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let new = dir.join(format!(".{name}.new"));
    std::fs::write(&new, text)?;
    std::fs::rename(new, dir.join(name)).with_context(|| format!("can't replace {name}"))
}

/// The three steps: both know the new one, both use it, the old one goes.
async fn roll(dir: &Path, all: &mut Vec<String>) -> anyhow::Result<()> {
    let names = SimulatorKind::ALL.map(|kind| format!("channel_{kind}"));
    let mut olds = Vec::new();
    for name in &names {
        olds.push(std::fs::read_to_string(dir.join(name))?.trim().to_owned());
    }
    let news: Vec<String> = names.iter().map(|_| random_hex()).collect();
    for (name, new) in names.iter().zip(&news) {
        put(dir, &format!("{name}_next"), new)?;
    }
    tokio::time::sleep(SECRET_RELOAD_WAIT).await;
    for ((name, old), new) in names.iter().zip(&olds).zip(&news) {
        put(dir, name, new)?;
        put(dir, &format!("{name}_next"), old)?;
    }
    tokio::time::sleep(SECRET_RELOAD_WAIT).await;
    for name in &names {
        std::fs::remove_file(dir.join(format!("{name}_next")))?;
    }
    tokio::time::sleep(SECRET_RELOAD_WAIT).await;
    all.extend(olds);
    all.extend(news);
    Ok(())
}

fn log(set: &TestStage) -> anyhow::Result<String> {
    Ok(std::fs::read_to_string(set.stage.dir.join("core.log"))?)
}

fn logs(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_changed_under_load_without_one_failed_call() -> anyhow::Result<()> {
    let env = vec![("RUST_LOG".to_owned(), "debug".to_owned())];
    let set = TestStage::up(StageOptions { env, ..options() }).await?;
    let traffic = Traffic {
        channels: vec!["netsunion", "unionpay", "psp"],
        ..Traffic::new("roll", 60)
    };
    traffic.fund(&set.stage, 10_000).await?;
    let dir = set.stage.dir.join("secrets");
    let mut all = Vec::new();
    let (report, rolled) = tokio::join!(
        traffic.open(&set.stage, ORDERS_PER_S, LOAD_TIME),
        roll(&dir, &mut all)
    );
    rolled?;
    ensure!(
        report?.succeeded() == ORDERS_PER_S * LOAD_TIME.as_secs(),
        "requests were refused"
    );
    set.all_is_well().await?;
    for kind in SimulatorKind::ALL {
        let name =
            format!("sluice_core_channel_results_total{{channel=\"{kind}\",result=\"unknown\"}}");
        ensure!(
            set.stage.core_metric(&name).await? == 0,
            "calls to {kind} failed: {}",
            sluice_tests::tail(&set.stage.dir.join("core.log"))
        );
        ensure!(
            log(&set)?.contains(&format!("secret channel_{kind} has changed")),
            "channel_{kind} was never changed"
        );
    }
    ensure!(
        set.stage.sims.callbacks() == (0, 0),
        "callbacks were refused: {:?}",
        set.stage.sims.callbacks()
    );

    unusable_secrets_are_named(&set, &dir).await?;
    let more = Traffic {
        run: "more".into(),
        channels: vec!["psp"],
        ..traffic
    };
    more.open(&set.stage, ORDERS_PER_S, Duration::from_secs(1))
        .await?;
    set.all_is_well().await?;

    for name in std::fs::read_dir(&dir)?.flatten() {
        all.push(std::fs::read_to_string(name.path())?.trim().to_owned());
    }
    no_log_holds(&set, &all)
}

async fn unusable_secrets_are_named(set: &TestStage, dir: &Path) -> anyhow::Result<()> {
    // What can't be used: the present one stays, and the log names the secret.
    for (name, text) in [("channel_psp", "too short"), ("channel_unionpay_next", "")] {
        let before = std::fs::read_to_string(dir.join(name)).ok();
        put(dir, name, text)?;
        tokio::time::sleep(SECRET_RELOAD_WAIT).await;
        let named = log(set)?
            .lines()
            .filter(|l| l.contains(&format!("secret {name} ")) && l.contains("ERROR"))
            .count();
        ensure!(named == 1, "{name} is named {named} times");
        let metric = format!(
            "sluice_core_secret_unusable{{secret=\"{}\"}}",
            name.trim_end_matches("_next")
        );
        ensure!(
            set.stage.core_metric(&metric).await? == 1,
            "{metric} is not 1"
        );
        match before {
            Some(text) => put(dir, name, &text)?,
            None => std::fs::remove_file(dir.join(name))?,
        }
    }
    Ok(())
}

fn no_log_holds(set: &TestStage, secrets: &[String]) -> anyhow::Result<()> {
    for path in logs(&set.stage.dir) {
        let text = std::fs::read_to_string(&path)?;
        for secret in secrets {
            ensure!(
                !text.contains(secret.as_str()),
                "{} holds a secret",
                path.display()
            );
        }
    }
    Ok(())
}
