//! The promise that pairs rest on: an event published before an order is evaluated
//! before that order's fence token is announced. So for every token Kafka is asked
//! where its ends are now, and the token waits until the evaluator is past them.

use crate::health::blind::{Blind, BlindCause};
use crate::kafka::consumer;
use crate::kafka::settings::KafkaSourceSettings;
use crate::stream::feed::{KafkaEndOffsets, SourceMessage};
use crossbeam_channel::{
    Receiver, RecvTimeoutError, SendTimeoutError, Sender, TrySendError, bounded,
};
use sluice_contract::clock::now_us;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Pairs' deadlines pass even if no token is written.
const IDLE_INTERVAL: Duration = Duration::from_millis(200);

/// How old the list of partitions may be. An event on one that is not known yet is not
/// waited for, so what is said about a moment is never newer than the list: with a list of
/// the reader's age (`kafka.metadata_interval_ms`) a missing half would be found seconds later. A
/// question for each topic four times a second is little, beside one for every token.
const MAX_PARTITION_LIST_AGE: Duration = Duration::from_millis(250);

/// The evaluator's side: numbers tokens and wakes the asker.
#[derive(Debug, Clone)]
pub struct EndOffsetRequests {
    seen: Arc<AtomicU64>,
    ring: Sender<()>,
}

impl EndOffsetRequests {
    /// A bell, what it has numbered, and where it is heard.
    pub fn new() -> (EndOffsetRequests, Arc<AtomicU64>, Receiver<()>) {
        // One ring that was not heard yet stands for any number of tokens.
        let (ring, rung) = bounded(1);
        let seen = Arc::new(AtomicU64::new(0));
        (
            EndOffsetRequests {
                seen: Arc::clone(&seen),
                ring,
            },
            seen,
            rung,
        )
    }

    /// Numbers what was just seen.
    pub fn ring(&self) -> u64 {
        let number = self.seen.fetch_add(1, Ordering::AcqRel) + 1;
        match self.ring.try_send(()) {
            // Full: the asker is awake and will ask again for us.
            Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => number,
        }
    }
}

/// Every partition, as it was known at a moment.
struct PartitionList {
    at: Instant,
    at_us: i64,
    partitions: Vec<(String, i32)>,
}

pub struct KafkaEndAsker {
    settings: KafkaSourceSettings,
    feed: Sender<SourceMessage>,
    blind: Blind,
    cancel: CancellationToken,
    assigned: Arc<AtomicBool>,
    seen: Arc<AtomicU64>,
    rung: Receiver<()>,
}

/// A barrier and the bell that the evaluator rings.
pub fn barrier(
    settings: KafkaSourceSettings,
    feed: Sender<SourceMessage>,
    blind: Blind,
    cancel: CancellationToken,
    assigned: Arc<AtomicBool>,
) -> (KafkaEndAsker, EndOffsetRequests) {
    let (bell, seen, rung) = EndOffsetRequests::new();
    (
        KafkaEndAsker {
            settings,
            feed,
            blind,
            cancel,
            assigned,
            seen,
            rung,
        },
        bell,
    )
}

impl KafkaEndAsker {
    /// Asks until cancelled, on its own thread: librdkafka's questions block.
    pub fn run(self) -> anyhow::Result<()> {
        // A client of its own: on the reader's connection the question would wait
        // behind a long poll.
        let consumer = consumer::end_offset_client(&self.settings, "-barrier")?;
        let mut listed: Option<PartitionList> = None;
        while !self.cancel.is_cancelled() {
            match self.rung.recv_timeout(IDLE_INTERVAL) {
                Ok(()) => {}
                // Nobody waits for the answer: time for a new list.
                Err(RecvTimeoutError::Timeout) => listed = None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if !self.assigned.load(Ordering::Acquire) {
                continue;
            }
            // Whatever was numbered before the question is served by its answer.
            let (seen, now_us) = (self.seen.load(Ordering::Acquire), now_us());
            let asked = (|| {
                let list = match listed
                    .take()
                    .filter(|list| list.at.elapsed() < MAX_PARTITION_LIST_AGE)
                {
                    Some(list) => list,
                    None => PartitionList {
                        at: Instant::now(),
                        at_us: now_us,
                        partitions: consumer::partitions(&consumer, &self.settings.topics)?,
                    },
                };
                let ends = consumer::ends(&consumer, &list.partitions)?;
                let at_us = listed.insert(list).at_us;
                anyhow::Ok((ends, at_us))
            })();
            match asked {
                Ok((ends, at_us)) => {
                    self.blind.clear(BlindCause::Kafka);
                    if !self.send(KafkaEndOffsets { seen, at_us, ends }) {
                        return Ok(());
                    }
                }
                Err(error) => {
                    self.blind.set(BlindCause::Kafka, format!("{error:#}"));
                    // Tokens stay where they are; the next round serves them.
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
        Ok(())
    }

    fn send(&self, passage: KafkaEndOffsets) -> bool {
        let mut feed = SourceMessage::Passage(passage);
        loop {
            match self.feed.send_timeout(feed, Duration::from_millis(100)) {
                Ok(()) => return true,
                Err(SendTimeoutError::Timeout(back)) if !self.cancel.is_cancelled() => feed = back,
                Err(_) => return false,
            }
        }
    }
}
