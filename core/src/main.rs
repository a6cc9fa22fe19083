//! `sluice-core CONFIG.toml`: the withdrawal core.

use sluice_core::config::CoreConfig;
use sluice_core::service;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Many small, short-lived values on several threads: measured ahead of the
/// system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A setting is wrong; restarting won't help.
const EXIT_BAD_CONFIG: u8 = 2;

fn main() -> ExitCode {
    sluice_contract::telemetry::start_logging("info");
    let path = std::env::args_os()
        .nth(1)
        .or_else(|| std::env::var_os("SLUICE_CORE_CONFIG"));
    let Some(path) = path.map(PathBuf::from) else {
        tracing::error!("usage: sluice-core CONFIG.toml (or set SLUICE_CORE_CONFIG)");
        return ExitCode::from(EXIT_BAD_CONFIG);
    };
    let config = match CoreConfig::load(&path) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!("{error:#}");
            return ExitCode::from(EXIT_BAD_CONFIG);
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("can't start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: CoreConfig) -> anyhow::Result<()> {
    let term = signal(SignalKind::terminate())?;
    service::run(config, told_to_stop(term)).await
}

async fn told_to_stop(mut term: Signal) {
    tokio::select! {
        _ = term.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
