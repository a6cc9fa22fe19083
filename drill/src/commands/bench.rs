//! `sluice bench`: measures, and writes `bench.json`.

use super::demo::fresh;
use crate::bench;
use crate::setup::process::interrupted;
use crate::story::{progress::Progress, report::write_json};
use std::path::{Path, PathBuf};

const REPORT: &str = "target/report/bench.json";

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Where the private servers keep their data and logs; emptied first.
    #[arg(long, default_value = ".run/bench")]
    dir: PathBuf,
}

#[allow(clippy::print_stdout)]
pub async fn run(options: Options) -> anyhow::Result<()> {
    let progress = Progress::new();
    for part in ["replay", "live"] {
        fresh(&options.dir.join(part))?;
    }
    let interrupted = interrupted()?;
    let figures = tokio::select! {
        figures = bench::run(&options.dir, &progress) => figures,
        () = interrupted.cancelled() => Err(anyhow::anyhow!("interrupted; everything that was started is stopped")),
    };
    progress.finish();
    let figures = figures?;
    write_json(Path::new(REPORT), &figures)?;
    println!("{}", serde_json::to_string_pretty(&figures)?);
    println!("written to {REPORT}");
    Ok(())
}
