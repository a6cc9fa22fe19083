//! Orders of a claim that the database refused for good: each is tried in a round of
//! its own, so that the one that spoils it is found and quarantined and its neighbours
//! are sent.

use crate::batch::BatchFailure;
use crate::orders::{AlteredOrder, OrderRef};
use crate::quarantine::OrderQuarantine;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Remembered at most: the rest is found again by polling.
const MAX_ISOLATED_ORDERS: usize = 4_096;

pub struct IsolationQueue {
    quarantine: OrderQuarantine,
    orders: Mutex<Vec<OrderRef>>,
}

impl IsolationQueue {
    pub fn new(quarantine: OrderQuarantine) -> Self {
        IsolationQueue {
            quarantine,
            orders: Mutex::default(),
        }
    }

    /// Takes the orders of a claim that failed.
    pub async fn failed(&self, orders: Vec<OrderRef>, failure: &BatchFailure) {
        // Else trying again may help, and polling will.
        if !failure.is_items_fault {
            return;
        }
        match orders.as_slice() {
            [one] => self.quarantine(one, &failure.error).await,
            [..] => {
                let mut suspects = self.lock();
                let free = MAX_ISOLATED_ORDERS.saturating_sub(suspects.len());
                suspects.extend(orders.into_iter().take(free));
            }
        }
    }

    /// Quarantines an order that can't be claimed even alone.
    pub async fn quarantine(&self, order: &OrderRef, error: &anyhow::Error) {
        self.quarantine.put(order, "can't be claimed", error).await;
    }

    /// Quarantines an order that somebody changed beside the core.
    pub async fn quarantine_altered(&self, order: &AlteredOrder) {
        self.quarantine.put_altered(order).await;
    }

    /// Opens a case for each breaker that this version does not know: one, not one an order.
    pub async fn report_breakers(&self, unknown: &[String]) {
        for name in unknown {
            self.quarantine.report_breaker(name).await;
        }
    }

    /// The next to be tried alone.
    pub fn next(&self) -> Option<OrderRef> {
        self.lock().pop()
    }

    /// Leaves out what is quarantined.
    pub fn without_quarantined(&self, mut orders: Vec<OrderRef>) -> Vec<OrderRef> {
        orders.retain(|at| !self.quarantine.holds(at));
        orders
    }

    fn lock(&self) -> MutexGuard<'_, Vec<OrderRef>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
