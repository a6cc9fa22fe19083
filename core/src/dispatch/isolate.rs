//! Orders of a claim that the database refused for good: each is tried in a round of
//! its own, so that the one that spoils it is found and quarantined and its neighbours
//! are sent.

use crate::orders::OrderRef;
use crate::quarantine::OrderQuarantine;
use sluice_contract::sql;
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

    /// A claim of these orders failed.
    pub async fn failed(&self, orders: Vec<OrderRef>, error: &anyhow::Error) {
        match orders.as_slice() {
            // Trying again may help, and polling will.
            _ if sql::is_transient(error) => {}
            [one] => self.quarantine.put(one, "can't be claimed", error).await,
            _ => {
                let mut suspects = self.lock();
                let free = MAX_ISOLATED_ORDERS.saturating_sub(suspects.len());
                suspects.extend(orders.into_iter().take(free));
            }
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
