//! The whole table, written out: a change of behaviour has to change it here too.

use crate::orders::state::{OrderInput, StateDecision, step};
use sluice_contract::order::OrderState;

/// Rows are states, columns the events in the order of `OrderInput::ALL`.
/// `.` already, `!` contradiction, `-` refused, `=` stays with effects,
/// `>` succeeded first, then again; else the state moved to.
#[rustfmt::skip]
const TRANSITION_TABLE: &[(OrderState, [&str; 20])] = &[
    // booked, unfunded, claim, unroutable, accepted, succeeded, declined, not_here,
    // send_refused, decline_reversed, unknown, no_such_trade, returned, cancel, exhausted,
    // not_sent, ack_overdue, ack_exhausted, acknowledged, renotify
    (OrderState::Booking,     ["init", "failed", "-", "-", "!", "!", "!", "!", "!", "!", ".", ".", "!", "-", ".", "=", ".", ".", "-", "-"]),
    (OrderState::Init,        [".", "!", "dispatching", "failed", "!", "!", "!", "!", "!", "manual", ".", ".", "!", "failed", ".", "=", ".", ".", "-", "="]),
    (OrderState::Dispatching, [".", "!", "-", "-", "processing", "success", "failed", "init", "in_doubt", "=", "in_doubt", "init", ">", "-", "manual", ".", ".", ".", "-", "="]),
    (OrderState::Processing,  [".", "!", "-", "-", "=", "success", "failed", "init", "=", "=", ".", "!", ">", "-", "manual", ".", ".", ".", "-", "="]),
    (OrderState::InDoubt,     [".", "!", "-", "-", "processing", "success", "failed", "init", "=", "=", ".", "init", ">", "-", "manual", ".", ".", ".", "-", "="]),
    (OrderState::Manual,      [".", "!", "-", "-", "=", "success", "failed", "init", "=", "=", ".", "init", ">", "-", ".", ".", ".", ".", "-", "="]),
    (OrderState::Success,     [".", "!", "-", "-", ".", ".", "!", "!", ".", "=", ".", "!", "returned", "-", ".", ".", "=", "=", "=", "="]),
    (OrderState::Failed,      [".", ".", "-", "-", ".", "!", ".", ".", ".", "!", ".", ".", "!", ".", ".", ".", "=", "=", "=", "="]),
    (OrderState::Returned,    [".", "!", "-", "-", ".", ".", ".", ".", ".", ".", ".", ".", ".", "-", ".", ".", "=", "=", "=", "="]),
];

fn shown(step: StateDecision) -> &'static str {
    match step {
        StateDecision::Move(to, _) => to.as_str(),
        StateDecision::Stay(_) => "=",
        StateDecision::After(OrderInput::Succeeded) => ">",
        StateDecision::After(_) => "?",
        StateDecision::Already => ".",
        StateDecision::Contradiction(_) => "!",
        StateDecision::Refused => "-",
    }
}

#[test]
fn every_state_meets_every_event_as_the_table_says() {
    assert_eq!(TRANSITION_TABLE.len(), OrderState::ALL.len());
    for (state, row) in TRANSITION_TABLE {
        for (event, want) in OrderInput::ALL.into_iter().zip(row) {
            assert_eq!(shown(step(*state, event)), *want, "{state:?} × {event:?}");
        }
    }
}

#[test]
fn money_moves_exactly_once_on_every_path() {
    // All paths of up to 8 events: reserved money leaves or is released once, and
    // comes back only after it had left.
    use crate::orders::state::OrderEffect;
    fn walk(state: OrderState, depth: u32, settled: u32, back: u32) {
        assert!(settled <= 1 && back <= settled, "{state:?}");
        assert_eq!(settled == 1, state.is_end(), "{state:?}");
        if depth == 0 {
            return;
        }
        for event in OrderInput::ALL {
            if let StateDecision::Move(to, effects) = step(state, event) {
                let count = |wanted: &[OrderEffect]| {
                    effects.iter().filter(|e| wanted.contains(e)).count() as u32
                };
                let settles = count(&[OrderEffect::Finalize, OrderEffect::Release]);
                walk(
                    to,
                    depth - 1,
                    settled + settles,
                    back + count(&[OrderEffect::GiveBack]),
                );
            }
        }
    }
    walk(OrderState::Init, 8, 0, 0);
}

#[test]
fn an_end_state_never_goes_back() {
    for state in OrderState::ALL.into_iter().filter(|s| s.is_end()) {
        for event in OrderInput::ALL {
            if let StateDecision::Move(to, _) = step(state, event) {
                assert_eq!(
                    (state, to),
                    (OrderState::Success, OrderState::Returned),
                    "{event:?}"
                );
            }
        }
    }
}

#[test]
fn what_stays_moves_no_money() {
    use crate::orders::state::OrderEffect;
    for state in OrderState::ALL {
        for event in OrderInput::ALL {
            if let StateDecision::Stay(effects) = step(state, event) {
                let harmless = [
                    OrderEffect::OpenCase,
                    OrderEffect::CloseCase,
                    OrderEffect::NotePending,
                    OrderEffect::NoteRefusal,
                    OrderEffect::PublishAgain,
                ];
                assert!(
                    effects.iter().all(|e| harmless.contains(e)),
                    "{state:?} × {event:?}"
                );
            }
        }
    }
}

#[test]
fn what_comes_after_something_untold_is_possible_then() {
    for state in OrderState::ALL {
        for event in OrderInput::ALL {
            if let StateDecision::After(first) = step(state, event) {
                let StateDecision::Move(between, _) = step(state, first) else {
                    panic!("{state:?} × {first:?}")
                };
                assert!(
                    matches!(step(between, event), StateDecision::Move(..)),
                    "{between:?} × {event:?}"
                );
            }
        }
    }
}
