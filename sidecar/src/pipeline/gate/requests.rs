//! Requests of a gate to its asker: a number for everything that waits, and a bell.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The evaluator's side: numbers what waits and wakes the asker.
#[derive(Debug, Clone)]
pub struct EndOffsetRequests {
    seen: Arc<AtomicU64>,
    ring: Sender<()>,
}

/// The asker's side.
#[derive(Debug)]
pub struct EndOffsetRequestQueue {
    pub seen: Arc<AtomicU64>,
    pub rung: Receiver<()>,
}

impl EndOffsetRequests {
    /// Both sides, with nothing numbered yet.
    pub fn new() -> (EndOffsetRequests, EndOffsetRequestQueue) {
        // One ring that was not taken yet stands for any number of rows.
        let (ring, rung) = bounded(1);
        let seen = Arc::new(AtomicU64::new(0));
        let requests = EndOffsetRequests {
            seen: Arc::clone(&seen),
            ring,
        };
        (requests, EndOffsetRequestQueue { seen, rung })
    }

    /// Numbers a row that was just seen, from 1 on.
    pub fn ring(&self) -> u64 {
        let number = self.seen.fetch_add(1, Ordering::AcqRel) + 1;
        match self.ring.try_send(()) {
            // Full: the asker is awake and will ask again for us.
            Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => number,
        }
    }
}
