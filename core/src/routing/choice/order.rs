//! Order in which channels are tried.

use crate::routing::configuration::set::RoutingSet;
use sha2::{Digest, Sha256};

/// Places in `set.channels` in the order in which this order tries them. Equals are
/// drawn by weight from the order's id alone, so that `explain` draws the same.
pub(super) fn in_order(set: &RoutingSet, order_id: &str) -> Vec<usize> {
    let mut all = Vec::with_capacity(set.channels.len());
    let mut from = 0;
    while let Some(first) = set.channels.get(from) {
        let mut equals: Vec<usize> = (from..set.channels.len())
            .take_while(|at| set.channels[*at].priority == first.priority)
            .collect();
        from += equals.len();
        while equals.len() > 1 {
            let place = drawn(set, &equals, order_id, all.len());
            all.push(equals.remove(place));
        }
        all.append(&mut equals);
    }
    all
}

fn drawn(set: &RoutingSet, equals: &[usize], order_id: &str, step: usize) -> usize {
    let weight = |at: usize| u64::try_from(set.channels[at].weight).unwrap_or(0);
    let sum: u64 = equals.iter().map(|at| weight(*at)).sum();
    let digest = Sha256::digest(format!("{order_id}/{step}"));
    let number = digest
        .iter()
        .take(8)
        .fold(0u64, |n, byte| n << 8 | u64::from(*byte));
    let mut point = number % sum.max(1);
    for (place, at) in equals.iter().enumerate() {
        if point < weight(*at) {
            return place;
        }
        point -= weight(*at);
    }
    0
}
