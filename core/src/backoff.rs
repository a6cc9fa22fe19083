//! Backoff of retries: delays double up to a bound and are spread by the order's id.

/// The wait after the `times`-th try: doubles from `first_us` up to `longest_us`,
/// shortened by up to a fifth, by the order's id and the number of the try. So orders
/// that fell into doubt together are not asked for together, and a run repeats.
pub fn backoff_us(first_us: i64, longest_us: i64, times: i64, order_id: &str) -> i64 {
    let doublings = u32::try_from(times.max(0)).unwrap_or(u32::MAX).min(40);
    let grown = first_us
        .saturating_mul(1 << doublings)
        .min(longest_us)
        .max(1);
    let draw = i64::from(crc32fast::hash(format!("{order_id}:{times}").as_bytes()) % 1_024);
    grown - grown / 5 * draw / 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_their_bounds_and_differ_by_order() {
        for times in 0..60 {
            let full = 500_i64.saturating_mul(1 << times.min(40)).min(60_000);
            let wait = backoff_us(500, 60_000, times, "o1");
            assert!(
                wait <= full && wait >= full - full / 5,
                "{times}: {wait} of {full}"
            );
            assert_eq!(
                wait,
                backoff_us(500, 60_000, times, "o1"),
                "the same each time"
            );
        }
        let waits: std::collections::HashSet<i64> = (0..50)
            .map(|n| backoff_us(1_000_000, i64::MAX, 3, &format!("o{n}")))
            .collect();
        assert!(waits.len() > 40, "orders are spread: {waits:?}");
    }
}
