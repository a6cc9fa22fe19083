//! Orders of accounts that the fence holds: they wait here, apart from the ready queue and
//! without a claim, until a line of the fence names their account no more. A hint like the
//! ready queue, since polling finds what is lost.

use crate::metrics::METRICS;
use crate::orders::OrderRef;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Orders remembered as held at most (about 10 MB); polling finds more once they are free.
const MAX_HELD_ORDERS: usize = 50_000;

/// Held orders by account, each once.
#[derive(Default)]
pub(super) struct HeldOrders(Mutex<HeldByAccount>);

#[derive(Default)]
struct HeldByAccount {
    orders: HashMap<String, BTreeSet<OrderRef>>,
    count: usize,
}

impl HeldOrders {
    /// Remembers the order, if there is room.
    pub fn put(&self, order: OrderRef) {
        let mut held = self.lock();
        if held.count >= MAX_HELD_ORDERS {
            return;
        }
        let account = order.account_id.clone();
        if held.orders.entry(account).or_default().insert(order) {
            held.count += 1;
        }
        show(&held);
    }

    /// Takes out the orders whose account is not in `holds`, oldest first for each account.
    pub fn release(&self, holds: &HashSet<String>) -> Vec<OrderRef> {
        let mut held = self.lock();
        if held.count == 0 {
            return Vec::new();
        }
        let free = held
            .orders
            .extract_if(|account, _| !holds.contains(account));
        let free: Vec<OrderRef> = free.flat_map(|(_, orders)| orders).collect();
        held.count -= free.len();
        show(&held);
        free
    }

    /// Locks the orders, for short work in memory, never across an await.
    fn lock(&self) -> MutexGuard<'_, HeldByAccount> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn show(held: &HeldByAccount) {
    let count = i64::try_from(held.count).unwrap_or(i64::MAX);
    METRICS.blocked.with_label_values(&["pair"]).set(count);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(account: &str, n: usize) -> OrderRef {
        OrderRef::new(account, &format!("{n:08}"))
    }

    #[test]
    fn an_account_is_released_alone_and_each_order_once() {
        let held = HeldOrders::default();
        for (account, n) in [("A", 2), ("B", 1), ("A", 0), ("A", 2)] {
            held.put(order(account, n));
        }
        let both: HashSet<String> = ["A".to_owned(), "B".to_owned()].into();
        assert!(held.release(&both).is_empty());
        let only_b = ["B".to_owned()].into();
        assert_eq!(held.release(&only_b), [order("A", 0), order("A", 2)]);
        assert_eq!(held.release(&HashSet::new()), [order("B", 1)]);
        assert_eq!(held.lock().count, 0);
    }

    #[test]
    fn the_line_is_bounded() {
        let held = HeldOrders::default();
        (0..MAX_HELD_ORDERS + 10).for_each(|n| held.put(order("A", n)));
        assert_eq!(held.release(&HashSet::new()).len(), MAX_HELD_ORDERS);
    }
}
