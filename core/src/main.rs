//! `sluice-core CONFIG.toml`: the withdrawal core. `sluice-core --migrate CONFIG.toml`
//! migrates its schemas and ends.

use sluice_core::config::CoreConfig;
use sluice_core::service;
use std::path::PathBuf;
use std::process::ExitCode;

/// Many small, short-lived values on several threads: measured ahead of the
/// system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A setting is wrong; restarting won't help.
const EXIT_BAD_CONFIG: u8 = 2;

fn main() -> ExitCode {
    sluice_contract::telemetry::start_logging("info");
    let Some((migrate, path)) = arguments() else {
        tracing::error!("usage: sluice-core [--migrate] CONFIG.toml (or set SLUICE_CORE_CONFIG)");
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
    let ended = match migrate {
        true => runtime.block_on(service::migrate(config)),
        false => runtime.block_on(run(config)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether to migrate only, and the settings file.
fn arguments() -> Option<(bool, PathBuf)> {
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let count = arguments.len();
    arguments.retain(|argument| argument != "--migrate");
    let migrate = arguments.len() < count;
    let path = arguments
        .into_iter()
        .next()
        .or_else(|| std::env::var_os("SLUICE_CORE_CONFIG"))?;
    Some((migrate, PathBuf::from(path)))
}

async fn run(config: CoreConfig) -> anyhow::Result<()> {
    let stop = sluice_contract::shutdown::interrupted()?;
    service::run(config, stop.cancelled_owned()).await
}
