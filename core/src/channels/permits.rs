//! Call permits of one channel, and the orders that wait for one. They wait apart
//! from the ready queue: thousands that wait for a sick channel must not take turns
//! with a healthy one's. Whoever gives a permit back lets the oldest try again, and
//! keeps the permit for it: newcomers must not starve those who wait.

use crate::metrics::METRICS;
use crate::orders::OrderRef;
use crate::ready_queue::ReadyQueue;
use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Orders that one channel remembers as waiting (about 10 MB); polling finds more.
const MAX_WAITING_ORDERS: usize = 50_000;

#[derive(Clone)]
pub struct CallPermits(Arc<CallPermitsInner>);

struct CallPermitsInner {
    channel: &'static str,
    free: Arc<Semaphore>,
    queue: Mutex<WaitQueue>,
    ready: ReadyQueue,
}

#[derive(Default)]
struct WaitQueue {
    /// By order id, which is by age; each once.
    waiting: BTreeSet<OrderRef>,
    /// Told to try again, a free permit being kept for each; until the next sweep, in
    /// case it doesn't come.
    called: HashSet<OrderRef>,
}

/// The right to one payment call. Dropping it gives it back.
pub struct CallPermit {
    permits: CallPermits,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for CallPermit {
    fn drop(&mut self) {
        // First the permit, then the one who tries to take it.
        drop(self.permit.take());
        let mut queue = self.permits.lock();
        self.permits.call(&mut queue);
    }
}

impl CallPermits {
    pub fn new(channel: &'static str, count: usize, ready: &ReadyQueue) -> Self {
        let free = Arc::new(Semaphore::new(count));
        CallPermits(Arc::new(CallPermitsInner {
            channel,
            free,
            queue: Mutex::default(),
            ready: ready.clone(),
        }))
    }

    /// A free permit for this order. If there is none, the order waits for one here:
    /// a hint like the ready queue, since polling finds what is lost.
    pub fn take(&self, order: &OrderRef) -> Option<CallPermit> {
        let mut queue = self.lock();
        let kept = queue.called.len();
        let called = queue.called.remove(order);
        let free = called || self.0.free.available_permits() > kept;
        if free && let Ok(permit) = self.0.free.clone().try_acquire_owned() {
            return Some(CallPermit {
                permits: self.clone(),
                permit: Some(permit),
            });
        }
        if queue.waiting.len() < MAX_WAITING_ORDERS {
            queue.waiting.insert(order.clone());
        }
        // A permit may have come free between the try and now.
        self.call(&mut queue);
        None
    }

    /// Whether the order waits here already: it need not be looked at again.
    pub fn is_waiting(&self, order: &OrderRef) -> bool {
        self.lock().waiting.contains(order)
    }

    /// Forgets who was called and has not come, and calls anew.
    pub fn sweep(&self) {
        let mut queue = self.lock();
        queue.called.clear();
        self.call(&mut queue);
    }

    /// Lets the oldest try again, as many as there are free permits not kept yet.
    fn call(&self, queue: &mut WaitQueue) {
        while self.0.free.available_permits() > queue.called.len() {
            let Some(order) = queue.waiting.pop_first() else {
                break;
            };
            queue.called.insert(order.clone());
            self.0.ready.push(order);
        }
        let waiting = i64::try_from(queue.waiting.len()).unwrap_or(i64::MAX);
        METRICS
            .channels
            .waiting
            .with_label_values(&[self.0.channel])
            .set(waiting);
    }

    fn lock(&self) -> MutexGuard<'_, WaitQueue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "permits_tests.rs"]
mod tests;
