//! Threads of a leadership that are stages of one stream: sources and the evaluator behind
//! them. One that returns of itself is seldom what happened: another host took over, or the
//! stage before or behind it ended, and its queue closed. So it waits a little for the stop,
//! and whoever has more to say is heard first.

use sluice_contract::supervisor::Supervisor;
use std::time::{Duration, Instant};

/// Time between a stage's return and its report as a part that ended.
const RETURN_GRACE: Duration = Duration::from_secs(5);
/// Interval at which a stage that returned looks for the stop.
const RETURN_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Starts a stage. What its work owns is dropped when it returns: the stage behind it sees the
/// end of its queue at once.
///
/// # Errors
/// The system gives no thread.
pub(super) fn spawn(
    parts: &Supervisor,
    name: &'static str,
    work: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
) -> anyhow::Result<()> {
    let stop = parts.stop_token();
    parts.spawn_thread(name, move || {
        work()?;
        let returned = Instant::now();
        while !stop.is_cancelled() && returned.elapsed() < RETURN_GRACE {
            std::thread::sleep(RETURN_POLL_INTERVAL);
        }
        Ok(())
    })?;
    Ok(())
}

#[cfg(test)]
#[path = "stage_thread_tests.rs"]
mod tests;
