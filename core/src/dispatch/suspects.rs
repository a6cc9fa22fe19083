//! Orders of a claim that the database refused for good: each is tried in a round of
//! its own, so that the one that spoils it is found and put aside and its neighbours
//! are sent.

use crate::cases::aside::Aside;
use crate::orders::OrderRef;
use sluice_contract::sql;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Remembered at most: the rest is found again by polling.
const MOST: usize = 4_096;

pub struct Suspects {
    aside: Aside,
    orders: Mutex<Vec<OrderRef>>,
}

impl Suspects {
    pub fn new(aside: Aside) -> Self {
        Suspects {
            aside,
            orders: Mutex::default(),
        }
    }

    /// A claim of these orders failed.
    pub async fn failed(&self, orders: Vec<OrderRef>, error: &anyhow::Error) {
        match orders.as_slice() {
            // Trying again may help, and polling will.
            _ if sql::is_passing(error) => {}
            [one] => self.aside.put(one, "can't be claimed", error).await,
            _ => {
                let mut suspects = self.lock();
                let free = MOST.saturating_sub(suspects.len());
                suspects.extend(orders.into_iter().take(free));
            }
        }
    }

    /// The next to be tried alone.
    pub fn next(&self) -> Option<OrderRef> {
        self.lock().pop()
    }

    /// Leaves out what is aside.
    pub fn without_aside(&self, mut orders: Vec<OrderRef>) -> Vec<OrderRef> {
        orders.retain(|at| !self.aside.holds(at));
        orders
    }

    fn lock(&self) -> MutexGuard<'_, Vec<OrderRef>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
