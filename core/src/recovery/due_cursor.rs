//! Place in a list of due orders. What can't be taken (altered, locked by somebody) stays
//! due: read from the front each time, a page full of it would hide everything behind.

use crate::orders::OrderRef;
use std::time::{Duration, Instant};

/// Longest pass from front to end: what was locked when it was passed comes up again,
/// however many orders become due behind it.
const MAX_PASS: Duration = Duration::from_secs(60);

/// Place in a list of due orders, in the order of due time and address.
#[derive(Debug)]
pub(super) struct DueCursor {
    /// Due time and address of the last one that was read; `None`: from the front.
    after: Option<DueOrder>,
    begun: Instant,
}

/// A due order's address, with its due time in µs since 1970 UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DueOrder {
    pub due_us: i64,
    pub at: OrderRef,
}

impl Default for DueCursor {
    fn default() -> Self {
        DueCursor {
            after: None,
            begun: Instant::now(),
        }
    }
}

impl DueCursor {
    pub fn after(&self) -> Option<&DueOrder> {
        self.after.as_ref()
    }

    /// Goes on behind this page; from the front again if it was the last one, as one that is
    /// not full must be, or if the pass has taken long.
    pub fn pass(&mut self, page: &[DueOrder], max_orders: usize) {
        let is_last = page.len() < max_orders || self.begun.elapsed() > MAX_PASS;
        *self = match page.last() {
            Some(last) if !is_last => DueCursor {
                after: Some(last.clone()),
                begun: self.begun,
            },
            Some(_) | None => DueCursor::default(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_page_is_passed_and_the_last_one_leads_to_the_front() {
        let due = |n: i64| DueOrder {
            due_us: n,
            at: OrderRef::new("A", &n.to_string()),
        };
        let mut cursor = DueCursor::default();
        cursor.pass(&[due(1), due(2)], 2);
        assert_eq!(cursor.after(), Some(&due(2)));
        cursor.pass(&[due(3)], 2);
        assert_eq!(cursor.after(), None);
        cursor.pass(&[due(1), due(2)], 2);
        cursor.pass(&[], 2);
        assert_eq!(cursor.after(), None);
    }
}
