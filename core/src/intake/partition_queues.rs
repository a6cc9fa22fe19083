//! Payments of each partition apart: one that can't be booked now holds back its own
//! partition and no other. No offset is committed past a payment that is not booked.

use crate::intake::message::ReceivedPayment;
use crate::intake::quarantine::QuarantinedPayment;
use std::collections::BTreeMap;

/// Messages of a partition that are read ahead of its booking at most: a little more than
/// one accept transaction holds, so that they share commits. Behind them the partition is
/// paused.
pub(super) const MAX_READ_AHEAD: usize = 256;

/// Messages of one partition that are booked side by side.
pub(super) struct PartitionBatch {
    pub(super) partition: i32,
    pub(super) payments: Vec<ReceivedPayment>,
    /// Payments that this build can't book, to be written down.
    pub(super) quarantined: Vec<QuarantinedPayment>,
    /// The offset behind all of them.
    pub(super) next: i64,
}

/// One partition: what was read and is not on its way yet.
#[derive(Default)]
struct PartitionQueue {
    payments: Vec<ReceivedPayment>,
    quarantined: Vec<QuarantinedPayment>,
    /// Messages read, payments or not, and the offset behind them.
    read: usize,
    next: i64,
    /// A batch of it is on its way.
    is_busy: bool,
    is_paused: bool,
}

/// Messages that are read and not yet booked, by partition.
#[derive(Default)]
pub(super) struct PartitionQueues(BTreeMap<i32, PartitionQueue>);

impl PartitionQueues {
    /// Takes a message that was read, with its payment if it holds one. True: the partition
    /// is to be paused. That may be so again for a few messages more, since whoever shares
    /// out the partitions anew resumes them.
    pub(super) fn add(
        &mut self,
        partition: i32,
        offset: i64,
        taken: Option<Result<ReceivedPayment, QuarantinedPayment>>,
    ) -> bool {
        let queue = self.0.entry(partition).or_default();
        match taken {
            Some(Ok(payment)) => queue.payments.push(payment),
            Some(Err(quarantined)) => queue.quarantined.push(quarantined),
            None => {}
        }
        queue.read += 1;
        queue.next = offset + 1;
        queue.is_paused = queue.read >= MAX_READ_AHEAD;
        queue.is_paused
    }

    /// Takes what may be booked now: of each partition one batch at a time, so that its
    /// payments follow each other.
    pub(super) fn take_ready(&mut self) -> Vec<PartitionBatch> {
        let ready = self
            .0
            .iter_mut()
            .filter(|(_, queue)| !queue.is_busy && queue.read > 0);
        ready
            .map(|(partition, queue)| {
                queue.is_busy = true;
                queue.read = 0;
                PartitionBatch {
                    partition: *partition,
                    payments: std::mem::take(&mut queue.payments),
                    quarantined: std::mem::take(&mut queue.quarantined),
                    next: queue.next,
                }
            })
            .collect()
    }

    /// Notes that the partition's batch is booked. True: it is to be resumed.
    pub(super) fn done(&mut self, partition: i32) -> bool {
        let Some(queue) = self.0.get_mut(&partition) else {
            return false;
        };
        queue.is_busy = false;
        // What was read ahead is on its way next, and leaves room.
        std::mem::take(&mut queue.is_paused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(queues: &mut PartitionQueues) -> Vec<(i32, i64)> {
        let ready = queues.take_ready();
        ready.iter().map(|b| (b.partition, b.next)).collect()
    }

    #[test]
    fn a_partition_waits_for_its_own_batch_alone() {
        let mut queues = PartitionQueues::default();
        assert!(!queues.add(0, 7, None) && !queues.add(1, 3, None) && !queues.add(1, 4, None));
        assert_eq!(ready(&mut queues), [(0, 8), (1, 5)]);
        queues.add(0, 8, None);
        queues.add(1, 5, None);
        assert_eq!(ready(&mut queues), [], "both are on their way");
        assert!(!queues.done(1));
        assert_eq!(ready(&mut queues), [(1, 6)], "0 is held back");
        queues.done(0);
        assert_eq!(ready(&mut queues), [(0, 9)]);
        queues.done(0);
        assert_eq!(ready(&mut queues), [], "nothing new was read");
    }

    #[test]
    fn what_is_read_ahead_of_a_held_partition_is_bounded() {
        let mut queues = PartitionQueues::default();
        queues.add(0, 0, None);
        assert_eq!(ready(&mut queues), [(0, 1)]);
        let most = i64::try_from(MAX_READ_AHEAD).unwrap();
        assert!((1..most).all(|at| !queues.add(0, at, None)));
        assert!(queues.add(0, most, None), "paused");
        assert!(
            queues.add(0, most + 1, None),
            "resumed by others: paused again"
        );
        assert!(queues.done(0), "resumed");
        assert_eq!(ready(&mut queues), [(0, most + 2)]);
        assert!(!queues.done(0));
    }
}
