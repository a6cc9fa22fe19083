//! The set of a program's parts: every task and thread that a program starts is in
//! it, by name. A part that ends or panics before it was told to stop ends the
//! program, since a program that goes on without one of its parts fails in silence.
//!
//! ```text
//! let parts = Supervisor::new(readiness, CancellationToken::new());
//! let entrances = parts.group();           // a stage of the shutdown: its own stop token
//! entrances.spawn("public-listener", serve(entrances.stop_token()));
//! select! { biased; () = signal => …, end = parts.first_end() => … }
//! entrances.stop(DEADLINE).await?;         // then the next stage, and at last `parts.stop`
//! ```

use crate::heartbeat::Heartbeat;
use crate::telemetry::Readiness;
use futures_util::FutureExt;
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The end of a part that nobody told to stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("part {name} {how}")]
pub struct PartEnd {
    pub name: Arc<str>,
    pub how: PartEndCause,
}

/// The way in which a part came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartEndCause {
    /// The work returned, although parts work for as long as the program.
    Ended,
    Failed(String),
    Panicked(String),
}

impl fmt::Display for PartEndCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartEndCause::Ended => f.write_str("ended although nobody stopped it"),
            PartEndCause::Failed(why) => write!(f, "failed: {why}"),
            PartEndCause::Panicked(why) => write!(f, "panicked: {why}"),
        }
    }
}

/// A stop that was not an orderly one, with the names of the parts that spoiled it.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error("still running at the deadline: {running:?}; ended badly while stopping: {failed:?}")]
pub struct UnfinishedStop {
    pub running: Vec<Arc<str>>,
    pub failed: Vec<PartEnd>,
}

/// Handle of a set of parts; clones share the set. Dropping the last clone aborts
/// the set's tasks; threads end by themselves.
#[derive(Clone)]
pub struct Supervisor(Arc<Parts>);

impl Default for Supervisor {
    /// A set of its own, for tools and tests.
    fn default() -> Self {
        Supervisor::new(Readiness::default(), CancellationToken::new())
    }
}

struct Parts {
    stop: CancellationToken,
    readiness: Readiness,
    /// Of this set and its groups: the first end that nobody asked for.
    first_end: watch::Sender<Option<PartEnd>>,
    set: Mutex<PartSet>,
    jobs: TaskTracker,
}

#[derive(Default)]
struct PartSet {
    tasks: JoinSet<()>,
    running: BTreeMap<u64, Arc<str>>,
    started: u64,
    /// Ends after the stop that were no orderly ones.
    failed: Vec<PartEnd>,
}

impl Supervisor {
    /// Makes an empty set. Its parts stop when `stop` is cancelled or `stop()` called.
    pub fn new(readiness: Readiness, stop: CancellationToken) -> Self {
        Supervisor::with(readiness, stop, watch::Sender::default())
    }

    fn with(
        readiness: Readiness,
        stop: CancellationToken,
        first_end: watch::Sender<Option<PartEnd>>,
    ) -> Self {
        Supervisor(Arc::new(Parts {
            stop,
            readiness,
            first_end,
            set: Mutex::default(),
            jobs: TaskTracker::new(),
        }))
    }

    /// Makes a set that stops by itself and before this one (a stage of the shutdown);
    /// the end of any of its parts is an end of this set too.
    pub fn group(&self) -> Self {
        let parts = &self.0;
        Supervisor::with(
            parts.readiness.clone(),
            parts.stop.child_token(),
            parts.first_end.clone(),
        )
    }

    /// Makes the sign of life of a part: `/ready` says no once it has been silent for
    /// `max_silence`.
    pub fn heartbeat(&self, part: &str, max_silence: Duration) -> Heartbeat {
        let beat = Heartbeat::new(max_silence);
        self.0.readiness.watch(part, beat.clone());
        beat
    }

    /// Cancelled when the parts of this set shall stop.
    pub fn stop_token(&self) -> CancellationToken {
        self.0.stop.clone()
    }

    /// Starts a task that works for as long as the program. Its return, `Ok` or not,
    /// before the stop ends the program. After the stop nothing starts any more.
    pub fn spawn(
        &self,
        name: impl Into<Arc<str>>,
        part: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let guarded = async { cause_of(AssertUnwindSafe(part).catch_unwind().await) };
        self.watch(name.into(), true, guarded);
    }

    /// Starts a loop without an end of its own that may be dropped wherever it waits:
    /// the stop drops it there. If it returns before, that ends the program.
    pub fn spawn_loop(
        &self,
        name: impl Into<Arc<str>>,
        part: impl Future<Output = ()> + Send + 'static,
    ) {
        let stop = self.stop_token();
        self.spawn(name, async move {
            // None: it was dropped, as told.
            let _ = stop.run_until_cancelled_owned(part).await;
            Ok(())
        });
    }

    /// Starts a task that the program can do without: its end is logged, no more.
    pub fn spawn_optional(
        &self,
        name: impl Into<Arc<str>>,
        part: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let guarded = async { cause_of(AssertUnwindSafe(part).catch_unwind().await) };
        self.watch(name.into(), false, guarded);
    }

    /// Starts a thread that works for as long as the program, as `spawn` does a task.
    /// Its work has to look at the stop token: a thread can't be aborted.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn spawn_thread(
        &self,
        name: impl Into<Arc<str>>,
        part: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    ) -> std::io::Result<()> {
        let name = name.into();
        let (sender, ended) = oneshot::channel();
        std::thread::Builder::new()
            .name(name.to_string())
            .spawn(move || {
                let cause = cause_of(catch_unwind(AssertUnwindSafe(part)));
                // Nobody waits any more once the program is over.
                let _ = sender.send(cause);
            })?;
        let gone = || PartEndCause::Panicked("its thread is gone".to_owned());
        self.watch(
            name,
            true,
            async move { ended.await.unwrap_or_else(|_| gone()) },
        );
        Ok(())
    }

    /// Starts one piece of work that ends by itself and is found again if it fails.
    /// A stop waits for it; it is not told to stop.
    pub fn job(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.jobs.spawn(work);
    }

    /// Waits for the first part that ends although nobody stopped it; answers the same
    /// end to everybody who asks. Pending while all is well.
    pub async fn first_end(&self) -> PartEnd {
        let mut ends = self.0.first_end.subscribe();
        // This set holds the sender: the channel can't close.
        let first = ends.wait_for(Option::is_some).await;
        // Copied first: a future that held the channel's lock could not be sent.
        let first = first.ok().and_then(|end| end.clone());
        match first {
            Some(end) => end,
            None => std::future::pending().await,
        }
    }

    /// Tells the set to stop and waits for its parts and jobs. What still runs at the
    /// deadline is aborted (threads and jobs are left) and named.
    ///
    /// # Errors
    /// Parts that did not end in time, or failed while they stopped.
    pub async fn stop(&self, deadline: Duration) -> Result<(), UnfinishedStop> {
        self.0.stop.cancel();
        self.0.jobs.close();
        let mut tasks = std::mem::take(&mut self.set().tasks);
        let ended = async {
            while tasks.join_next().await.is_some() {}
            self.0.jobs.wait().await;
        };
        let in_time = tokio::time::timeout(deadline, ended).await.is_ok();
        tasks.abort_all();
        let set = self.set();
        let mut unfinished = UnfinishedStop {
            running: set.running.values().cloned().collect(),
            failed: set.failed.clone(),
        };
        if !self.0.jobs.is_empty() {
            unfinished
                .running
                .push(format!("{} jobs", self.0.jobs.len()).into());
        }
        if in_time && unfinished.failed.is_empty() {
            return Ok(());
        }
        Err(unfinished)
    }

    /// Names of the parts that run now, in the order of their start.
    pub fn running(&self) -> Vec<Arc<str>> {
        self.set().running.values().cloned().collect()
    }

    fn watch(
        &self,
        name: Arc<str>,
        required: bool,
        part: impl Future<Output = PartEndCause> + Send + 'static,
    ) {
        let mut set = self.set();
        if self.0.stop.is_cancelled() {
            return;
        }
        set.started += 1;
        let number = set.started;
        set.running.insert(number, name.clone());
        // Weak: a set whose own parts held it would never be dropped.
        let parts = Arc::downgrade(&self.0);
        set.tasks.spawn(async move {
            let how = part.await;
            let Some(parts) = parts.upgrade() else {
                return;
            };
            Supervisor(parts).ended(number, PartEnd { name, how }, required);
        });
    }

    fn ended(&self, number: u64, end: PartEnd, required: bool) {
        let stopping = self.0.stop.is_cancelled();
        let mut set = self.set();
        set.running.remove(&number);
        if stopping && end.how == PartEndCause::Ended {
            return;
        }
        tracing::error!(part = &*end.name, "{end}");
        if stopping {
            set.failed.push(end);
        } else if required {
            drop(set);
            let part = format!("part {}", end.name);
            self.0.readiness.set(&part, Some(end.how.to_string()));
            self.0.first_end.send_if_modified(|first| {
                let is_first = first.is_none();
                first.get_or_insert(end);
                is_first
            });
        }
    }

    fn set(&self) -> MutexGuard<'_, PartSet> {
        self.0.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Caught = Result<anyhow::Result<()>, Box<dyn Any + Send>>;

fn cause_of(caught: Caught) -> PartEndCause {
    match caught {
        Ok(Ok(())) => PartEndCause::Ended,
        Ok(Err(error)) => PartEndCause::Failed(format!("{error:#}")),
        Err(panic) => PartEndCause::Panicked(panic_text(&*panic)),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a text".to_owned())
}

#[cfg(test)]
#[path = "supervisor_tests.rs"]
mod tests;
