//! The four stages of recovery (seed 002 §4.1) as pure functions: in which one an
//! order stands, and whether it is past the stage's bound.

use crate::config::RecoveryConfig;
use crate::orders::Order;
use crate::orders::state::OrderInput;
use sluice_contract::order::OrderState;
use sluice_contract::string_enum;
use std::fmt;

string_enum! {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum RecoveryStage("a stage of recovery") {
        /// 1: accepted, or known not to have arrived, and not on its way.
        Sending = "sending",
        /// 2: sent, and no clear answer.
        Answer = "answer",
        /// 3: the channel has it and owes the result.
        Callback = "callback",
        /// 4: ended, and its upstream has not said that it knows.
        Upstream = "upstream",
        /// Past a bound: a person's.
        Person = "person",
    }
}

impl RecoveryStage {
    /// The stage of an order that is due. An order that has ended is due only while
    /// its upstream has to hear of it.
    pub fn of(state: OrderState) -> RecoveryStage {
        match state {
            OrderState::Booking | OrderState::Init => RecoveryStage::Sending,
            OrderState::Dispatching | OrderState::InDoubt => RecoveryStage::Answer,
            OrderState::Processing => RecoveryStage::Callback,
            OrderState::Manual => RecoveryStage::Person,
            OrderState::Success | OrderState::Failed | OrderState::Returned => {
                RecoveryStage::Upstream
            }
        }
    }
}

/// Bound of stages 2 and 3 that an order is past: of time, never of a number of queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassedBound {
    /// The channel has said nothing clear for so many seconds.
    Silent(i64),
    /// The channel has had it for so many seconds, and has not ended it.
    Pending(i64),
}

impl PassedBound {
    /// The bound that the order is past, now that its channel has given this answer; none
    /// if it is a person's case already.
    pub fn of(
        order: &Order,
        answer: OrderInput,
        config: &RecoveryConfig,
        now_us: i64,
    ) -> Option<PassedBound> {
        if order.state == OrderState::Manual {
            return None;
        }
        let since = |from: Option<i64>| now_us - from.unwrap_or(order.created_us);
        let is_past =
            |us: i64, bound_ms: u64| us / 1_000 >= i64::try_from(bound_ms).unwrap_or(i64::MAX);
        let (pending, silent) = (since(order.send_by_us), since(order.last_heard_us));
        if answer == OrderInput::Accepted {
            return is_past(pending, config.pending_case_after_ms)
                .then_some(PassedBound::Pending(pending / 1_000_000));
        }
        is_past(silent, config.silence_case_after_ms)
            .then_some(PassedBound::Silent(silent / 1_000_000))
    }
}

impl fmt::Display for PassedBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PassedBound::Silent(s) => write!(f, "no clear answer for {s} s"),
            PassedBound::Pending(s) => write!(f, "the channel has had it for {s} s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::sample;
    use sluice_contract::order::OrderKind;

    #[test]
    fn bounds_are_of_time_since_the_channel_was_heard() {
        let config = RecoveryConfig {
            silence_case_after_ms: 60_000,
            pending_case_after_ms: 600_000,
            ..RecoveryConfig::default()
        };
        let order = Order {
            state: OrderState::Processing,
            queries: 30_000,
            send_by_us: Some(0),
            last_heard_us: Some(500_000_000),
            ..sample(OrderKind::CashOut)
        };
        let at = |answer, s: i64| PassedBound::of(&order, answer, &config, s * 1_000_000);
        // However often it was asked.
        assert_eq!(at(OrderInput::Unknown, 559), None);
        assert_eq!(at(OrderInput::Unknown, 560), Some(PassedBound::Silent(60)));
        assert_eq!(at(OrderInput::Accepted, 599), None);
        assert_eq!(
            at(OrderInput::Accepted, 600),
            Some(PassedBound::Pending(600))
        );
        let manual = Order {
            state: OrderState::Manual,
            ..order.clone()
        };
        assert_eq!(
            PassedBound::of(&manual, OrderInput::Unknown, &config, i64::MAX),
            None
        );
    }

    #[test]
    fn every_state_has_a_stage() {
        let stages: std::collections::BTreeSet<RecoveryStage> =
            OrderState::ALL.into_iter().map(RecoveryStage::of).collect();
        assert_eq!(stages.into_iter().collect::<Vec<_>>(), RecoveryStage::ALL);
    }
}
