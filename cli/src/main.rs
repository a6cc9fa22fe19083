//! `sluice`: reads its words, logs errors only, runs one command, tells how it ended.

use clap::Parser;
use sluice_cli::{SluiceCli, run};
use sluice_contract::telemetry;
use std::process::ExitCode;

/// Backtests make many small, short-lived values on several threads, as the sidecar
/// does, which measured it ahead of the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A terminal speaks for itself; the core's code is only borrowed to read with.
const LOG_FILTER: &str = "error,sluice_core=off";

fn main() -> ExitCode {
    let cli = SluiceCli::parse();
    telemetry::start_logging(LOG_FILTER);
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
