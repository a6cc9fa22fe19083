//! Waiting for what must come, and servers that may not be there.

use anyhow::ensure;
use sluice_drill::setup::{MysqlServer, mysql};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Generous: a loaded machine is no fault.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Waits until `done` says so.
///
/// # Errors
/// It never did; `what` was waited for.
pub async fn until(
    what: &str,
    mut done: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !done().await? {
        ensure!(
            begun.elapsed() < WAIT_TIMEOUT,
            "not within {WAIT_TIMEOUT:?}: {what}"
        );
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// A MySQL in a folder that goes away, if there is one to be had; `SLUICE_NEED_MYSQL` makes
/// it a must (`.ci/run`).
///
/// # Errors
/// It doesn't start.
#[allow(clippy::print_stdout)]
pub async fn mysql_server() -> anyhow::Result<Option<(TempDir, MysqlServer)>> {
    if mysql::program().is_none() && std::env::var_os("SLUICE_NEED_MYSQL").is_none() {
        println!("skipped: there is no MySQL here, run scripts/mysql");
        return Ok(None);
    }
    let dir = tempfile::tempdir()?;
    let server = MysqlServer::start(dir.path(), &[]).await?;
    Ok(Some((dir, server)))
}
