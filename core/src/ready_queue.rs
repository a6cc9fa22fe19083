//! Orders waiting for a claim, remembered in memory. It is a hint: what is lost
//! here is found again by polling, what is in twice is claimed once.

use crate::orders::OrderRef;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

#[derive(Clone)]
pub struct ReadyQueue(Arc<ReadyQueueInner>);

struct ReadyQueueInner {
    most: usize,
    orders: Mutex<VecDeque<OrderRef>>,
    some: Notify,
}

impl ReadyQueue {
    /// `most` bounds the memory; beyond it polling takes over.
    pub fn new(most: usize) -> Self {
        ReadyQueue(Arc::new(ReadyQueueInner {
            most,
            orders: Mutex::default(),
            some: Notify::new(),
        }))
    }

    pub fn push(&self, order: OrderRef) {
        let mut orders = self.0.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if orders.len() < self.0.most {
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

    /// At least one, at most `most` orders, oldest first, each once.
    pub async fn take(&self, most: usize) -> Vec<OrderRef> {
        loop {
            let some = self.0.some.notified();
            let taken = self.drain(most);
            if !taken.is_empty() {
                return taken;
            }
            some.await;
        }
    }

    fn drain(&self, most: usize) -> Vec<OrderRef> {
        let mut orders = self.0.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let count = most.min(orders.len());
        let mut taken: Vec<OrderRef> = orders.drain(..count).collect();
        taken.sort_unstable();
        taken.dedup();
        taken
    }
}
