//! The order in which the program ends. Each stage has a deadline.
//!
//! | stage | ends | why here |
//! |---|---|---|
//! | 1 | reloader, audits, readers → evaluator → checkpoint | nothing read is thrown away |
//! | 2 | fence streams | from here on nothing is announced |
//! | 3 | role, then lease | a standby overlaps with no line of ours; nobody here renews it |
//! | 4 | listener | until now `/ready` said that we end |
//! | 5 | preflights and lag meters | they only look |
//! | 6 | connections, recording | nobody uses them any more |

use crate::binlog::servers::SourceServer;
use crate::fence::FencePublisher;
use crate::health::status::SidecarStatus;
use crate::leader::guard_db::GuardDb;
use crate::pipeline::leadership::release_at_end;
use crate::recording::Recorder;
use futures_util::future::join_all;
use sluice_contract::supervisor::{Supervisor, UnfinishedStop};
use sluice_contract::telemetry::Readiness;
use std::sync::Arc;
use std::time::Duration;

/// Time for the last results to be committed, and for readers to end.
const LEADING_TIMEOUT: Duration = Duration::from_secs(12);
/// Time for open requests to end; a client that does not read must not hold us.
const LISTENER_TIMEOUT: Duration = Duration::from_secs(2);
/// Time for tasks that only look to end.
const WATCHING_TIMEOUT: Duration = Duration::from_secs(1);
/// Time for the pools to close their connections.
const POOLS_TIMEOUT: Duration = Duration::from_secs(2);

/// Parts of the program, grouped by the stage in which they end.
pub(crate) struct ProgramStages {
    /// Reloader and leaderships: everybody who writes.
    pub leading: Supervisor,
    pub listening: Supervisor,
    /// Preflights and lag meters.
    pub watching: Supervisor,
}

impl ProgramStages {
    pub(crate) fn of(parts: &Supervisor) -> Self {
        ProgramStages {
            leading: parts.group(),
            listening: parts.group(),
            watching: parts.group(),
        }
    }
}

/// Handles of what is closed at the end.
pub(crate) struct ClosingHandles {
    pub db: GuardDb,
    pub status: SidecarStatus,
    pub fence: FencePublisher,
    pub servers: Arc<[SourceServer]>,
    pub recorder: Option<Arc<Recorder>>,
}

/// Ends the program in order.
///
/// # Errors
/// Parts that lead did not end in time, or failed while they stopped.
pub(crate) async fn shut_down(
    handles: ClosingHandles,
    stages: ProgramStages,
    readiness: &Readiness,
) -> Result<(), UnfinishedStop> {
    readiness.set("shutdown", Some("shutting down".to_owned()));
    let led = stages.leading.stop(LEADING_TIMEOUT).await;
    handles.fence.close();
    release_at_end(&handles.db, &handles.status).await;
    for (stage, timeout) in [
        (&stages.listening, LISTENER_TIMEOUT),
        (&stages.watching, WATCHING_TIMEOUT),
    ] {
        if let Err(unfinished) = stage.stop(timeout).await {
            tracing::warn!("{unfinished}");
        }
    }
    close_pools(&handles.servers).await;
    close_recording(handles.recorder).await;
    led
}

async fn close_pools(servers: &[SourceServer]) {
    let closed = join_all(servers.iter().map(|server| server.hosts.disconnect()));
    if tokio::time::timeout(POOLS_TIMEOUT, closed).await.is_err() {
        tracing::warn!("a database server does not answer; its connections are dropped");
    }
}

/// Drops the recorder, which writes its last block and gives up after 5 s by itself.
async fn close_recording(recorder: Option<Arc<Recorder>>) {
    let closed = tokio::task::spawn_blocking(move || drop(recorder)).await;
    if let Err(panic) = closed {
        tracing::error!("closing the recording: {panic}");
    }
}
