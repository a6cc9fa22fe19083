//! A backlog: transactions that wait for pieces, and partitions that are ahead of them.

use crate::debezium::reader::session::{FeedSession, ReaderWait};
use crate::debezium::reader::stop::FeedStop;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Pieces that wait for their transactions: above it only partitions that the next
/// transaction needs are read, below it all are again. Some 200 MB.
const PAUSE_ABOVE_PIECES: usize = 100_000;
const RESUME_BELOW_PIECES: usize = 20_000;
/// A transaction that ended and whose pieces don't come for this long won't come.
const PIECES_TIMEOUT: Duration = Duration::from_secs(10);
impl FeedSession<'_> {
    /// Stops at a transaction that never becomes whole: it must not look like quiet.
    pub(super) fn check_overdue(&mut self) -> Result<(), FeedStop> {
        let Some((id, missing)) = self.assembler.waits_for() else {
            self.waits_since = None;
            return Ok(());
        };
        let left = missing.iter().map(|(_, left)| *left).sum();
        let since = match &self.waits_since {
            // A repeated transaction may have all of a backlog to be read.
            Some(wait) if wait.transaction == id && left >= wait.left => wait.since,
            _ => Instant::now(),
        };
        let transaction = id.to_owned();
        self.waits_since = Some(ReaderWait {
            transaction,
            left,
            since,
        });
        if since.elapsed() < PIECES_TIMEOUT {
            return Ok(());
        }
        let lacks: Vec<String> = missing
            .iter()
            .map(|(topic, left)| format!("{left} of {topic}"))
            .collect();
        Err(FeedStop::Unreadable(format!(
            "transaction {id} ended {} s ago and lacks events ({}): does the connector capture the table, is its topic \
             compacted or cut short? Check the gap, then delete the checkpoint row of source changes and restart",
            PIECES_TIMEOUT.as_secs(),
            lacks.join(", ")
        )))
    }

    /// Pauses partitions under a backlog: topics are read at different speeds, and those that
    /// are ahead wait.
    pub(super) fn pause_or_resume(&mut self) -> Result<(), FeedStop> {
        let waiting = self.assembler.waiting();
        if waiting < RESUME_BELOW_PIECES && self.paused.is_empty()
            || (RESUME_BELOW_PIECES..PAUSE_ABOVE_PIECES).contains(&waiting)
                && self.paused.is_empty()
        {
            return Ok(());
        }
        let wanted: Vec<String> = match self.assembler.waits_for() {
            Some((_, missing)) => missing.iter().map(|(topic, _)| topic.to_string()).collect(),
            None => vec![self.assembler.transactions().to_owned()],
        };
        let ahead = |p: &&(String, i32)| waiting >= RESUME_BELOW_PIECES && !wanted.contains(&p.0);
        let pause: BTreeSet<(String, i32)> = self.known.iter().filter(ahead).cloned().collect();
        let list = |some: Vec<&(String, i32)>| {
            let mut list = TopicPartitionList::new();
            for (topic, partition) in some {
                list.add_partition(topic, *partition);
            }
            list
        };
        let (more, less) = (
            pause.difference(&self.paused).collect(),
            self.paused.difference(&pause).collect(),
        );
        let (more, less) = (list(more), list(less));
        if more.count() > 0 {
            self.consumer.pause(&more)?;
        }
        if less.count() > 0 {
            self.consumer.resume(&less)?;
        }
        self.paused = pause;
        Ok(())
    }
}
