//! `sluice demo`: plays the story and says whether everything held.

use crate::setup::process::interrupted;
use crate::story::{self, progress::Progress};
use anyhow::bail;
use std::path::{Path, PathBuf};

/// Where the summary for programs goes.
const REPORT: &str = "target/report/demo.json";

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Where the private servers keep their data and logs; emptied first.
    #[arg(long, default_value = ".run/demo")]
    dir: PathBuf,
}

#[allow(clippy::print_stdout)]
pub async fn run(options: Options) -> anyhow::Result<()> {
    let progress = Progress::new();
    fresh(&options.dir)?;
    let interrupted = interrupted()?;
    let played = tokio::select! {
        played = story::play(&options.dir, &progress) => played,
        () = interrupted.cancelled() => Err(anyhow::anyhow!("interrupted; everything that was started is stopped")),
    };
    progress.finish();
    let report = played?;
    report.write(Path::new(REPORT))?;
    println!("{}", report.table());
    println!(
        "written to {REPORT}; logs and settings are in {}",
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
