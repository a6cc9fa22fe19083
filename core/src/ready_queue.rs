//! Orders waiting for a claim, remembered in memory. The queue is a hint: what is lost
//! here is found again by polling, what is in twice is claimed once.

use crate::orders::OrderRef;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// A queue of orders that are ready to be claimed; cheap to clone.
#[derive(Clone)]
pub struct ReadyQueue(Arc<ReadyQueueInner>);

struct ReadyQueueInner {
    max_orders: usize,
    orders: Mutex<VecDeque<OrderRef>>,
    some: Notify,
}

impl ReadyQueue {
    /// Makes a queue; `max_orders` bounds the memory, beyond it polling takes over.
    pub fn new(max_orders: usize) -> Self {
        ReadyQueue(Arc::new(ReadyQueueInner {
            max_orders,
            orders: Mutex::default(),
            some: Notify::new(),
        }))
    }

    /// Remembers the order, if there is room.
    pub fn push(&self, order: OrderRef) {
        let mut orders = self.0.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if orders.len() < self.0.max_orders {
            orders.push_back(order);
            drop(orders);
            self.0.some.notify_one();
        }
    }

    pub fn len(&self) -> usize {
        self.0
            .orders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes at least one, at most `max_orders` orders, oldest first, each once.
    pub async fn take(&self, max_orders: usize) -> Vec<OrderRef> {
        loop {
            let some = self.0.some.notified();
            let taken = self.drain(max_orders);
            if !taken.is_empty() {
                return taken;
            }
            some.await;
        }
    }

    fn drain(&self, max_orders: usize) -> Vec<OrderRef> {
        let mut orders = self.0.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let count = max_orders.min(orders.len());
        let mut taken: Vec<OrderRef> = orders.drain(..count).collect();
        taken.sort_unstable();
        taken.dedup();
        taken
    }
}
