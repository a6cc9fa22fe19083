//! `sluice-drill`: reads its words, sets up logging, runs one command, tells how it ended.

use clap::Parser;
use sluice_contract::telemetry;
use sluice_drill::commands::{DrillCli, run};
use std::process::ExitCode;

/// Backtests make many small, short-lived values on several threads, as the sidecar
/// does, which measured it ahead of the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = DrillCli::parse();
    telemetry::start_logging(cli.usual_log());
    telemetry::install_crypto();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("can't start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
