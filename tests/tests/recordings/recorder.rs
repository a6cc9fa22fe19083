//! A recorder reads beside a running sidecar.

use crate::recordings::{as_is, recording, run, trial};
use anyhow::ensure;
use sluice_contract::transaction_key::PUBLIC_KEYS_SECRET;
use sluice_drill::setup::process::{ChildProcess, ProgramSpec, binary};
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::path::Path;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn record_looks_beside_a_running_sidecar_and_disturbs_nothing() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    let dir = set.path().join("recording");
    let program = ProgramSpec::own("sluice", &set.path().join("record.log"))?.arg("record");
    let program = program
        .arg("--config")
        .arg(set.stage.dir.join("sidecar.toml"))
        .arg("--to")
        .arg(&dir);
    let mut recorder = ChildProcess::spawn(program)?;
    // It begins with what is committed from then on.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let traffic = Traffic::new("beside", 30);
    traffic.fund(&set.stage, 1_000).await?;
    traffic
        .open(&set.stage, 100, Duration::from_secs(2))
        .await?;
    set.all_is_well().await?;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let ended = recorder.terminate(Duration::from_secs(15)).await?;
    ensure!(ended.success(), "{ended}: {}", recorder.tail());
    let (report, lines) = run(recording(&dir)?, &trial(as_is(&set)?, None, 2))?;
    ensure!(
        lines.is_empty(),
        "honest orders were taken for wrong: {lines}"
    );
    ensure!(
        report.seen.events >= 200 && report.seen.changes > 2_000,
        "{:?}",
        report.seen
    );
    ensure!(
        report.seen.watermarks > 4 && report.seen.gaps == 0 && report.seen.notes.is_empty(),
        "{:?}",
        report.seen
    );
    by_command(&set, &dir)
}

/// The command as a person types it; and its words about what can't work.
fn by_command(set: &TestStage, dir: &Path) -> anyhow::Result<()> {
    let sluice = |arguments: &[&str]| {
        let ran = std::process::Command::new(binary("sluice")?)
            .arg("backtest")
            .args(arguments)
            .output()?;
        let said = String::from_utf8_lossy(&ran.stdout).into_owned()
            + &String::from_utf8_lossy(&ran.stderr);
        anyhow::Ok((ran.status.success(), said))
    };
    let text = |path: &Path| path.display().to_string();
    let (dir, config) = (text(dir), text(&set.stage.dir.join("sidecar.toml")));
    let (rules, json) = (
        text(&set.stage.options.rules),
        set.path().join("report.json"),
    );
    let (worked, said) = sluice(&[
        &dir,
        "--config",
        &config,
        "--rules",
        &rules,
        "--json",
        &text(&json),
    ])?;
    ensure!(
        worked && said.contains("paid_once") && said.contains("opened 0 times"),
        "{said}"
    );
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(json)?)?;
    ensure!(
        report["set"] == report["against"] && report["seen"]["gaps"] == 0,
        "{report}"
    );
    // Without any secret: public keys verify.
    let public = text(&set.stage.dir.join("secrets").join(PUBLIC_KEYS_SECRET));
    let verified = ["--public-keys", &public, "--only", "provenance"];
    let (worked, said) = sluice(&[&[&*dir, "--rules", &rules], &verified[..]].concat())?;
    ensure!(worked && said.contains("opened 0 times"), "{said}");
    let wrong: [(&[&str], &str); 4] = [
        (&["--rules", &rules], "--binlog FILE"),
        (&[&dir, "--rules", &rules], "--public-keys, or --config"),
        (
            &[
                &dir,
                "--config",
                &config,
                "--rules",
                &rules,
                "--only",
                "paid_twice",
            ],
            "no such rule",
        ),
        (
            &[&rules, "--config", &config, "--rules", &rules],
            "holds no recording",
        ),
    ];
    for (arguments, why) in wrong {
        let (worked, said) = sluice(arguments)?;
        ensure!(!worked && said.contains(why), "{arguments:?}: {said}");
    }
    Ok(())
}
