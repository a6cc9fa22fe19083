//! `sluice-drill demo`: plays the story and says whether everything held.

use crate::output::progress::ProgressDisplay;
use crate::story;
use anyhow::bail;
use sluice_contract::shutdown::interrupted;
use std::path::{Path, PathBuf};

/// The summary for programs goes here.
const DEMO_REPORT_PATH: &str = "target/report/demo.json";

#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Folder where the private servers keep their data and logs; emptied first.
    #[arg(long, default_value = ".run/demo")]
    dir: PathBuf,
}

#[allow(clippy::print_stdout)]
pub async fn run(options: DemoArgs) -> anyhow::Result<()> {
    let progress = ProgressDisplay::new();
    fresh(&options.dir)?;
    let interrupted = interrupted()?;
    let played = tokio::select! {
        played = story::play(&options.dir, &progress) => played,
        () = interrupted.cancelled() => Err(anyhow::anyhow!("interrupted; everything that was started is stopped")),
    };
    progress.finish();
    let report = played?;
    report.write(Path::new(DEMO_REPORT_PATH))?;
    println!("{}", report.table());
    println!(
        "written to {DEMO_REPORT_PATH}; logs and settings are in {}",
        options.dir.display()
    );
    if !report.held() {
        bail!("not everything held: see the table above");
    }
    Ok(())
}

/// A stage's directory belongs to it: what an earlier run left there goes.
pub fn fresh(dir: &Path) -> anyhow::Result<()> {
    if dir.exists() {
        // Only ever a directory that a stage made: it holds its secrets.
        anyhow::ensure!(
            dir.join("secrets").is_dir(),
            "{} exists and is not a stage's directory; name another with --dir",
            dir.display()
        );
        std::fs::remove_dir_all(dir)?;
    }
    Ok(())
}
