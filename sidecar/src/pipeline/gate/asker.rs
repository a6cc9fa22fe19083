//! The asker's loop, the same for every source: wait for a ring, load the last number, ask
//! where the source ends, send both.

use crate::pipeline::gate::requests::EndOffsetRequestQueue;
use crate::stream::feed::{EndOffsets, FeedSender, SourceMessage};
use crossbeam_channel::RecvTimeoutError;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Reads the end offsets of one kind of source.
pub trait EndReader {
    type Ends;

    /// Whether the ends are asked although nothing new waits for them.
    const UNPROMPTED: bool;
    /// The longest pause between two questions.
    const POLL_INTERVAL: Duration;

    /// Notes that nobody rang for a whole pause.
    fn idle(&mut self) {}

    /// The ends now, and a moment (µs) of which everything lies before them. `None` if
    /// nobody can say it at present: what waits stays, and the next round serves it.
    fn read_ends(&mut self) -> Option<(Self::Ends, i64)>;

    /// The message that takes the answer to the evaluator.
    fn message(answer: EndOffsets<Self::Ends>) -> SourceMessage;
}

/// Asks until cancelled or until the evaluator is gone, on a thread of its own: questions
/// block.
pub fn run<R: EndReader>(
    mut reader: R,
    requests: &EndOffsetRequestQueue,
    feed: &FeedSender,
) -> anyhow::Result<()> {
    let mut answered = 0;
    while !feed.is_cancelled() {
        match requests.rung.recv_timeout(R::POLL_INTERVAL) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => reader.idle(),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        // Whatever was numbered before the question is served by its answer.
        let seen = requests.seen.load(Ordering::Acquire);
        if !R::UNPROMPTED && seen == answered {
            continue;
        }
        let Some((ends, at_us)) = reader.read_ends() else {
            continue;
        };
        answered = seen;
        if !feed.send(R::message(EndOffsets { seen, at_us, ends })) {
            return Ok(());
        }
    }
    Ok(())
}
