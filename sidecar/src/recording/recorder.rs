//! From the evaluator to the recording, without ever holding the evaluator back:
//! a bounded queue, and a thread that writes. What does not fit the queue, or the
//! disk, is lost to the recording; it is counted and the recording says so.

use crate::metrics::SidecarMetrics;
use crate::recording::write::RecordingWriter;
use crate::recording::{RecordingEntry, RecordingMark};
use crate::stream::change::RuleInput;
use anyhow::Context;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Batches that wait for the disk, 1,024 changes each: a second of a busy stream,
/// and 100 MB at most of ordinary rows.
const MAX_QUEUED_BATCHES: usize = 64;
/// A block is written after this time, however small it is.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// A disk that refused is tried again after this time.
const RETRY_DELAY: Duration = Duration::from_secs(5);
/// A disk that hangs must not keep the program from ending.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// The recording's thread. Dropping it writes what is left.
pub struct Recorder {
    batches: Option<Sender<Vec<RecordingEntry>>>,
    ended: Receiver<()>,
    thread: Option<JoinHandle<()>>,
    metrics: &'static SidecarMetrics,
}

impl Recorder {
    pub fn start(
        writer: RecordingWriter,
        metrics: &'static SidecarMetrics,
    ) -> anyhow::Result<Recorder> {
        let (batches, queue) = bounded(MAX_QUEUED_BATCHES);
        let (end, ended) = bounded(1);
        let write = move || {
            let written = catch_unwind(AssertUnwindSafe(|| write_all(writer, &queue, metrics)));
            if let Err(panic) = written {
                report_panic(&*panic, metrics);
            }
            let _ = end.send(());
        };
        let thread = std::thread::Builder::new()
            .name("sluice-record".to_owned())
            .spawn(write);
        let thread = Some(thread.context("the recording's thread")?);
        Ok(Recorder {
            batches: Some(batches),
            ended,
            thread,
            metrics,
        })
    }

    /// For one evaluator.
    pub fn tap(&self) -> Option<RecordingTap> {
        let batches = self.batches.clone()?;
        Some(RecordingTap {
            batches,
            pending: Vec::new(),
            lost: 0,
            metrics: self.metrics,
        })
    }
}

impl Drop for Recorder {
    /// All taps are gone by now.
    fn drop(&mut self) {
        self.batches = None;
        if self.ended.recv_timeout(SHUTDOWN_TIMEOUT).is_err() {
            tracing::error!("the recording's disk does not answer; its last block may be missing");
        } else if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Takes what one evaluator sees.
pub struct RecordingTap {
    batches: Sender<Vec<RecordingEntry>>,
    pending: Vec<RecordingEntry>,
    /// Records that found the queue full since the last that did not.
    lost: u64,
    metrics: &'static SidecarMetrics,
}

impl RecordingTap {
    pub fn mark(&mut self, mark: RecordingMark) {
        self.pending.push(RecordingEntry::Mark(mark));
    }

    pub fn input(&mut self, input: &RuleInput) {
        self.pending.push(RecordingEntry::Input(input.clone()));
    }

    /// Hands over what was taken; never waits.
    pub fn hand_over(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let mut batch = std::mem::take(&mut self.pending);
        let records = batch.len() as u64;
        if self.lost > 0 {
            batch.insert(
                0,
                RecordingEntry::Mark(RecordingMark::Gap { lost: self.lost }),
            );
        }
        let refused = match self.batches.try_send(batch) {
            Ok(()) => {
                self.lost = 0;
                return;
            }
            Err(refused) => refused,
        };
        if self.lost == 0 {
            let why = match refused {
                TrySendError::Full(_) => "the recording can't keep up: it will have a gap here",
                TrySendError::Disconnected(_) => "the recording has ended, as was said before",
            };
            tracing::error!("{why}; evaluation goes on");
        }
        self.lost += records;
        self.metrics.recording_lost.inc_by(records);
    }
}

/// The guard goes on without its recording, but says why it has none.
fn report_panic(panic: &(dyn Any + Send), metrics: &SidecarMetrics) {
    metrics.recording.set(0);
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(
        "the recording's thread panicked: {}; nothing is recorded until the next start",
        text.unwrap_or("without a text")
    );
}

fn write_all(
    mut writer: RecordingWriter,
    queue: &Receiver<Vec<RecordingEntry>>,
    metrics: &SidecarMetrics,
) {
    let mut flushed = Instant::now();
    let mut refused: Option<Instant> = None;
    metrics.recording.set(1);
    loop {
        let batch = match queue.recv_timeout(FLUSH_INTERVAL) {
            Ok(batch) => batch,
            Err(RecvTimeoutError::Timeout) => Vec::new(),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        if refused.is_some_and(|since| since.elapsed() < RETRY_DELAY) {
            writer.skip(batch.len() as u64);
            metrics.recording_lost.inc_by(batch.len() as u64);
            continue;
        }
        let before = writer.records();
        let mut written = batch.iter().try_for_each(|record| writer.push(record));
        if written.is_ok() && (flushed.elapsed() >= FLUSH_INTERVAL || writer.unwritten() == 0) {
            flushed = Instant::now();
            written = writer.flush();
        }
        match written {
            Ok(()) => {
                if refused.take().is_some() {
                    tracing::warn!("the recording goes on, after a gap");
                }
                metrics.recording.set(1);
                metrics.recorded.inc_by(batch.len() as u64);
            }
            Err(error) => {
                if refused.is_none() {
                    tracing::error!(%error, "the recording can't be written and will have a gap here; evaluation goes on");
                }
                refused = Some(Instant::now());
                metrics.recording.set(0);
                // What of the batch was not pushed any more is lost as well.
                let taken = writer.records() - before;
                let left = (batch.len() as u64).saturating_sub(taken);
                writer.skip(left);
                metrics.recording_lost.inc_by(taken + left);
            }
        }
    }
    if let Err(error) = writer.finish() {
        tracing::error!(%error, "the end of the recording can't be written");
    }
    metrics.recording.set(0);
}
