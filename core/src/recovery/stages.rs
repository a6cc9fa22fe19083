//! The four stages of recovery (seed 002 §4.1) as pure functions: in which one an
//! order stands, and how long it waits there.

use sluice_contract::order::State;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// 1: accepted, or known not to have arrived, and not on its way.
    Sending,
    /// 2: sent, and no clear answer.
    Answer,
    /// 3: the channel has it and owes the result.
    Callback,
    /// 4: ended, and its upstream has not said that it knows.
    Upstream,
    /// Past a bound: a person's.
    Person,
}

impl Stage {
    pub const ALL: [Stage; 5] = [
        Stage::Sending,
        Stage::Answer,
        Stage::Callback,
        Stage::Upstream,
        Stage::Person,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Sending => "sending",
            Stage::Answer => "answer",
            Stage::Callback => "callback",
            Stage::Upstream => "upstream",
            Stage::Person => "person",
        }
    }

    /// The stage of an order that is due. An order that has ended is due only while
    /// its upstream has to hear of it.
    pub fn of(state: State) -> Stage {
        match state {
            State::Booking | State::Init => Stage::Sending,
            State::Dispatching | State::InDoubt => Stage::Answer,
            State::Processing => Stage::Callback,
            State::Manual => Stage::Person,
            State::Success | State::Failed | State::Returned => Stage::Upstream,
        }
    }
}

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

    #[test]
    fn every_state_has_a_stage() {
        let stages: std::collections::BTreeSet<Stage> =
            State::ALL.into_iter().map(Stage::of).collect();
        assert_eq!(stages.into_iter().collect::<Vec<_>>(), Stage::ALL);
    }
}
