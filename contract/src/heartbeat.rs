//! Signs of life of a program's loops. A task that hangs looks like one that has nothing to
//! do; a loop that says when it turns can be told from one that doesn't any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Sign of life of one part, kept by the part itself; `Readiness` reads it.
#[derive(Debug, Clone)]
pub struct Heartbeat(Arc<Beat>);

#[derive(Debug)]
struct Beat {
    started: Instant,
    max_silence: Duration,
    /// Milliseconds from the start to the last sign, plus one; 0 while the part waits for
    /// work, however long that takes.
    last: AtomicU64,
}

impl Heartbeat {
    /// Makes a sign of life of a part that shall turn at least every `max_silence`, from
    /// now on.
    pub fn new(max_silence: Duration) -> Self {
        let beat = Heartbeat(Arc::new(Beat {
            started: Instant::now(),
            max_silence,
            last: AtomicU64::new(0),
        }));
        beat.turn();
        beat
    }

    /// Says that the loop has turned, or begins a piece of work.
    pub fn turn(&self) {
        let since = self.0.started.elapsed().as_millis();
        let since = u64::try_from(since).unwrap_or(u64::MAX - 1);
        self.0.last.store(since + 1, Ordering::Relaxed);
    }

    /// Says that the part waits for work: its silence means nothing until it turns.
    pub fn rest(&self) {
        self.0.last.store(0, Ordering::Relaxed);
    }

    /// Why the part isn't well, in words, or `None`.
    pub fn silence(&self) -> Option<String> {
        let last = self.0.last.load(Ordering::Relaxed).checked_sub(1)?;
        let silent = self
            .0
            .started
            .elapsed()
            .saturating_sub(Duration::from_millis(last));
        (silent > self.0.max_silence)
            .then(|| format!("hasn't turned for {} s: it hangs", silent.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Readiness;

    #[test]
    fn a_loop_that_hangs_is_told_from_one_that_waits_for_work() {
        let readiness = Readiness::default();
        let (hangs, rests) = (
            Heartbeat::new(Duration::ZERO),
            Heartbeat::new(Duration::ZERO),
        );
        readiness.watch("hanging", hangs.clone());
        readiness.watch("resting", rests.clone());
        rests.rest();
        std::thread::sleep(Duration::from_millis(5));
        let waits = readiness.waits_for();
        assert!(waits["part hanging"].contains("hangs"), "{waits:?}");
        assert!(!waits.contains_key("part resting"), "{waits:?}");
        hangs.rest();
        assert!(readiness.waits_for().is_empty());
    }

    #[test]
    fn a_loop_that_turns_is_well() {
        let beat = Heartbeat::new(Duration::from_secs(3_600));
        beat.turn();
        assert_eq!(beat.silence(), None);
    }
}
