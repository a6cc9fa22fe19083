//! The four stages of recovery (seed 002 §4.1) as pure functions: in which one an
//! order stands, and how long it waits there.

use sluice_contract::order::OrderState;
use sluice_contract::string_enum;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_stage() {
        let stages: std::collections::BTreeSet<RecoveryStage> =
            OrderState::ALL.into_iter().map(RecoveryStage::of).collect();
        assert_eq!(stages.into_iter().collect::<Vec<_>>(), RecoveryStage::ALL);
    }
}
