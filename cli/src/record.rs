//! `sluice record`: a recorder keeps what is committed and told from now on, for backtests.

use anyhow::bail;
use indicatif::{HumanCount, ProgressBar};
use sluice_contract::shutdown::interrupted;
use sluice_sidecar::config::SidecarConfig;
use sluice_sidecar::pipeline::standalone_recorder;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct RecordArgs {
    /// The sidecar's settings file: the same servers are read, beside it.
    #[arg(long)]
    config: PathBuf,
    /// The folder of the recording; made if it isn't there, else gone on with.
    #[arg(long)]
    to: PathBuf,
    /// Record for this long, such as `10m`; until Ctrl-C if left out.
    #[arg(long = "for")]
    time: Option<jiff::SignedDuration>,
    /// MiB that the recording may take; the oldest part goes.
    #[arg(long, default_value_t = 1_024)]
    max_mb: u64,
}

#[allow(clippy::print_stdout)]
pub async fn run(options: RecordArgs) -> anyhow::Result<()> {
    let config = SidecarConfig::load(&options.config)?;
    let stop = interrupted()?;
    if let Some(time) = options.time {
        let (stop, time) = (stop.clone(), time.unsigned_abs());
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            stop.cancel();
        });
    }
    let bar = ProgressBar::new_spinner();
    let told = |changes: u64| {
        bar.set_message(format!(
            "{} row changes recorded; Ctrl-C ends it",
            HumanCount(changes)
        ));
        bar.tick();
    };
    let recorded =
        standalone_recorder::record(&config, &options.to, options.max_mb, stop, told).await;
    bar.finish_and_clear();
    let recorded = recorded?;
    println!(
        "{} row changes and {} events are recorded in {}",
        HumanCount(recorded.changes),
        HumanCount(recorded.events),
        options.to.display()
    );
    if recorded.lost > 0 {
        println!(
            "{} inputs are missing: the disk did not keep up; backtests say where",
            recorded.lost
        );
    }
    if let Some(why) = recorded.blind {
        bail!("the recorder was blind at the end: {why}");
    }
    Ok(())
}
