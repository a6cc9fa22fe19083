//! `sluice-sidecar [CONFIG]`: log, config, run until a signal, drain.

use sluice_contract::telemetry::start_logging;
use sluice_contract::traces;
use sluice_sidecar::config::SidecarConfig;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// Many small, short-lived values on several threads: measured ahead of the
/// system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A wrong configuration: starting again changes nothing.
const EXIT_BAD_CONFIG: u8 = 2;

fn main() -> ExitCode {
    start_logging("info");
    let config = match load() {
        Ok(config) => config,
        Err(error) => {
            tracing::error!("{}", one_line(&format!("{error:#}")));
            return ExitCode::from(EXIT_BAD_CONFIG);
        }
    };
    let traces = match traces::start(&config.traces, "sluice-sidecar", &config.instance) {
        Ok(traces) => traces,
        Err(error) => {
            tracing::error!("{error:#}");
            return ExitCode::from(EXIT_BAD_CONFIG);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let ended = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(sluice_sidecar::run(config, signalled())));
    traces.stop();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn load() -> anyhow::Result<SidecarConfig> {
    let path = std::env::args_os()
        .nth(1)
        .or_else(|| std::env::var_os("SLUICE_SIDECAR_CONFIG"));
    let path = path.map(PathBuf::from);
    let path = path.ok_or_else(|| {
        anyhow::anyhow!("name the configuration: sluice-sidecar FILE, or set SLUICE_SIDECAR_CONFIG")
    })?;
    let config = SidecarConfig::load(&path)?;
    // A vault is asked once there is a runtime.
    if config.vault.is_none() {
        config.secrets()?;
    }
    Ok(config)
}

/// TOML's messages quote the line at fault, which may hold a password.
fn one_line(message: &str) -> String {
    let quoted = |line: &str| {
        line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ')
            .starts_with('|')
    };
    message
        .lines()
        .filter(|line| !quoted(line) && !line.is_empty())
        .collect::<Vec<_>>()
        .join(": ")
}

async fn signalled() {
    let (Ok(mut term), Ok(mut int)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
