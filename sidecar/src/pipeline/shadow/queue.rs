//! Queue between the armed evaluator and shadow: bounded by what is in it, so that many small
//! messages fit and a few large ones don't fill the memory. What does not fit is refused.

use crate::rules::runtime::rule_set::RuleSet;
use crate::stream::change::RuleInput;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Batches that wait at most, however small.
const MAX_QUEUED_BATCHES: usize = 4_096;

/// Inputs that found the queue full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostInputs {
    /// When the first of them passed.
    pub since_us: i64,
    pub inputs: u64,
}

/// Inputs of one message, for shadow.
#[derive(Debug, Default)]
pub struct ShadowBatch {
    /// Row changes and events in it.
    pub rows: u64,
    /// When it was handed over.
    pub at_us: i64,
    /// Rule set that these and all later inputs are evaluated with, if it is another one.
    pub rules: Option<Arc<RuleSet>>,
    /// Loss before these inputs.
    pub lost: Option<LostInputs>,
    pub inputs: Vec<RuleInput>,
}

/// Sending end; it never waits.
pub struct ShadowFeed {
    batches: Sender<ShadowBatch>,
    queued_rows: Arc<AtomicU64>,
    max_rows: u64,
}

/// Receiving end.
pub struct ShadowQueue {
    pub(super) batches: Receiver<ShadowBatch>,
    queued_rows: Arc<AtomicU64>,
}

impl ShadowQueue {
    /// Makes the two ends of a queue of so many rows. One batch always fits an empty one.
    pub fn holding(max_rows: u64) -> (ShadowFeed, ShadowQueue) {
        let (sender, batches) = bounded(MAX_QUEUED_BATCHES);
        let queued_rows = Arc::<AtomicU64>::default();
        let feed = ShadowFeed {
            batches: sender,
            queued_rows: Arc::clone(&queued_rows),
            max_rows,
        };
        let queue = ShadowQueue {
            batches,
            queued_rows,
        };
        (feed, queue)
    }

    /// Waits for the next batch; `None` once the other end is gone.
    pub fn next(&self) -> Option<ShadowBatch> {
        let batch = self.batches.recv().ok()?;
        self.queued_rows.fetch_sub(batch.rows, Ordering::AcqRel);
        Some(batch)
    }
}

impl ShadowFeed {
    /// Hands a batch over, or gives it back if there is no room.
    pub fn offer(&self, batch: ShadowBatch) -> Result<(), Box<ShadowBatch>> {
        let rows = batch.rows;
        let queued = self.queued_rows.load(Ordering::Acquire);
        if queued > 0 && queued + rows > self.max_rows {
            return Err(Box::new(batch));
        }
        self.queued_rows.fetch_add(rows, Ordering::AcqRel);
        self.batches.try_send(batch).map_err(|refused| {
            self.queued_rows.fetch_sub(rows, Ordering::AcqRel);
            Box::new(refused.into_inner())
        })
    }
}
