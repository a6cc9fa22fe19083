//! Call slots of one channel, and the orders that wait for one. They wait apart
//! from the ready queue: thousands that wait for a sick channel must not take turns
//! with a healthy one's. Whoever gives a slot back lets the oldest try again, and
//! keeps the slot for it: newcomers must not starve those who wait.

use super::ReadyQueue;
use crate::metrics::METRICS;
use crate::orders::OrderRef;
use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Orders that one channel remembers as waiting (about 10 MB); polling finds more.
const MOST_WAITING: usize = 50_000;

#[derive(Clone)]
pub struct Slots(Arc<Inner>);

struct Inner {
    channel: &'static str,
    free: Arc<Semaphore>,
    line: Mutex<Line>,
    ready: ReadyQueue,
}

#[derive(Default)]
struct Line {
    /// By order id, which is by age; each once.
    waiting: BTreeSet<OrderRef>,
    /// Told to try again, a free slot being kept for each; until the next sweep, in
    /// case it doesn't come.
    called: HashSet<OrderRef>,
}

/// The right to one payment call. Dropping it gives it back.
pub struct Slot {
    slots: Slots,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        // First the slot, then the one who tries to take it.
        drop(self.permit.take());
        let mut line = self.slots.lock();
        self.slots.call(&mut line);
    }
}

impl Slots {
    pub fn new(channel: &'static str, count: usize, ready: &ReadyQueue) -> Self {
        let free = Arc::new(Semaphore::new(count));
        Slots(Arc::new(Inner {
            channel,
            free,
            line: Mutex::default(),
            ready: ready.clone(),
        }))
    }

    /// A free slot for this order. If there is none, the order waits for one here:
    /// a hint like the ready queue, since polling finds what is lost.
    pub fn take(&self, order: &OrderRef) -> Option<Slot> {
        let mut line = self.lock();
        let kept = line.called.len();
        let called = line.called.remove(order);
        let free = called || self.0.free.available_permits() > kept;
        if free && let Ok(permit) = self.0.free.clone().try_acquire_owned() {
            return Some(Slot {
                slots: self.clone(),
                permit: Some(permit),
            });
        }
        if line.waiting.len() < MOST_WAITING {
            line.waiting.insert(order.clone());
        }
        // A slot may have come free between the try and now.
        self.call(&mut line);
        None
    }

    /// Whether the order waits here already: it need not be looked at again.
    pub fn is_waiting(&self, order: &OrderRef) -> bool {
        self.lock().waiting.contains(order)
    }

    /// Forgets who was called and has not come, and calls anew.
    pub fn sweep(&self) {
        let mut line = self.lock();
        line.called.clear();
        self.call(&mut line);
    }

    /// Lets the oldest try again, as many as there are free slots not kept yet.
    fn call(&self, line: &mut Line) {
        while self.0.free.available_permits() > line.called.len() {
            let Some(order) = line.waiting.pop_first() else {
                break;
            };
            line.called.insert(order.clone());
            self.0.ready.push(order);
        }
        let waiting = i64::try_from(line.waiting.len()).unwrap_or(i64::MAX);
        METRICS
            .channels
            .waiting
            .with_label_values(&[self.0.channel])
            .set(waiting);
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(n: u32) -> OrderRef {
        OrderRef::new("A", &format!("{n:032}"))
    }

    #[tokio::test]
    async fn a_slot_given_back_is_the_oldest_ones() {
        let ready = ReadyQueue::new(10);
        let slots = Slots::new("x", 1, &ready);
        let slot = slots.take(&order(9)).unwrap();
        for n in [3, 1, 2, 1] {
            assert!(slots.take(&order(n)).is_none());
        }
        assert!(ready.is_empty() && slots.is_waiting(&order(3)));
        drop(slot);
        assert_eq!(ready.take(10).await, [order(1)]);
        // A newcomer doesn't get it.
        assert!(slots.take(&order(4)).is_none());
        let slot = slots.take(&order(1)).unwrap();
        drop(slot);
        assert_eq!(ready.take(10).await, [order(2)]);
        assert!(!slots.is_waiting(&order(2)) && slots.is_waiting(&order(4)));
    }

    #[tokio::test]
    async fn one_who_does_not_come_holds_nobody_up() {
        let ready = ReadyQueue::new(10);
        let slots = Slots::new("x", 2, &ready);
        let both = (
            slots.take(&order(8)).unwrap(),
            slots.take(&order(9)).unwrap(),
        );
        for n in 1..=4 {
            assert!(slots.take(&order(n)).is_none());
        }
        drop(both);
        // 1 and 2 are called and have ended meanwhile, say by a cancellation.
        assert_eq!(ready.take(10).await, [order(1), order(2)]);
        slots.sweep();
        assert_eq!(ready.take(10).await, [order(3), order(4)]);
        assert!(slots.take(&order(3)).is_some());
        // With nobody waiting, whoever comes is served.
        slots.sweep();
        assert!(slots.take(&order(7)).is_some());
    }
}
