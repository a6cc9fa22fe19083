//! Messages of the feed, and the one way to send them: batches of every source, and the end
//! offsets that gates wait for.

use crate::stream::batches::{BinlogBatch, KafkaBatch};
use crate::stream::gtid::GtidSet;
use crate::stream::offsets::PartitionOffsets;
use crossbeam_channel::{SendTimeoutError, Sender};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A sender that waits for room looks after this time whether it was cancelled.
const CANCEL_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// End offsets of some source, asked after everything numbered up to `seen` was seen.
#[derive(Debug)]
pub struct EndOffsets<P> {
    /// Control rows numbered up to this may pass once `ends` are read.
    pub seen: u64,
    /// µs before the question was asked (and Kafka's partitions were listed): everything
    /// published by then lies before `ends`.
    pub at_us: i64,
    pub ends: P,
}

/// A message to the evaluator, which takes them in the order of arrival.
#[derive(Debug)]
pub enum SourceMessage {
    Binlog(BinlogBatch),
    Kafka(KafkaBatch),
    KafkaEnds(EndOffsets<Arc<PartitionOffsets>>),
    /// Of servers 1, 2, …
    ServerEnds(EndOffsets<Vec<GtidSet>>),
}

/// Sends to the evaluator. The queue is bounded: a full one holds its source back, and
/// nothing is dropped.
#[derive(Debug, Clone)]
pub struct FeedSender {
    queue: Sender<SourceMessage>,
    cancel: CancellationToken,
}

impl FeedSender {
    /// A sender that gives up when `cancel` is cancelled.
    pub fn new(queue: Sender<SourceMessage>, cancel: CancellationToken) -> Self {
        FeedSender { queue, cancel }
    }

    /// Waits until the queue takes `message`. `false` if it was cancelled meanwhile, or the
    /// evaluator is gone: the source is to end then.
    pub fn send(&self, message: SourceMessage) -> bool {
        let mut message = message;
        loop {
            match self.queue.send_timeout(message, CANCEL_POLL_INTERVAL) {
                Ok(()) => return true,
                Err(SendTimeoutError::Timeout(back)) if !self.is_cancelled() => message = back,
                Err(SendTimeoutError::Timeout(_) | SendTimeoutError::Disconnected(_)) => {
                    return false;
                }
            }
        }
    }

    /// Whether reading is to end.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Waits until reading is to end.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }
}
