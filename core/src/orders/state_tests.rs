//! The whole table, written out: a change of behaviour has to change it here too.

use super::{Event, Step, step};
use sluice_contract::order::State;

/// Rows are states, columns the events in the order of `Event::ALL`.
/// `.` already, `!` contradiction, `-` refused, `=` stays with effects,
/// `>` succeeded first, then again; else the state moved to.
#[rustfmt::skip]
const TABLE: &[(State, [&str; 19])] = &[
    //                   booked  unfunded  claim          unroutable accepted      succeeded  declined  not_here  recanted  unknown     no_such returned    cancel    exhausted not_sent unheard never heard renotify
    (State::Booking,     ["init", "failed", "-", "-", "!", "!", "!", "!", "!", ".", ".", "!", "-", ".", "=", ".", ".", "-", "-"]),
    (State::Init,        [".", "!", "dispatching", "failed", "!", "!", "!", "!", "manual", ".", ".", "!", "failed", ".", "=", ".", ".", "-", "="]),
    (State::Dispatching, [".", "!", "-", "-", "processing", "success", "failed", "init", "=", "in_doubt", "init", ">", "-", "manual", ".", ".", ".", "-", "="]),
    (State::Processing,  [".", "!", "-", "-", ".", "success", "failed", "init", "=", ".", "!", ">", "-", "manual", ".", ".", ".", "-", "="]),
    (State::InDoubt,     [".", "!", "-", "-", "processing", "success", "failed", "init", "=", ".", "init", ">", "-", "manual", ".", ".", ".", "-", "="]),
    (State::Manual,      [".", "!", "-", "-", ".", "success", "failed", "init", "=", ".", ".", ">", "-", ".", ".", ".", ".", "-", "="]),
    (State::Success,     [".", "!", "-", "-", ".", ".", "!", "!", "=", ".", "!", "returned", "-", ".", ".", "=", "=", "=", "="]),
    (State::Failed,      [".", ".", "-", "-", ".", "!", ".", ".", "!", ".", ".", "!", ".", ".", ".", "=", "=", "=", "="]),
    (State::Returned,    [".", "!", "-", "-", ".", ".", ".", ".", ".", ".", ".", ".", "-", ".", ".", "=", "=", "=", "="]),
];

fn shown(step: Step) -> &'static str {
    match step {
        Step::Move(to, _) => to.as_str(),
        Step::Stay(_) => "=",
        Step::After(Event::Succeeded) => ">",
        Step::After(_) => "?",
        Step::Already => ".",
        Step::Contradiction(_) => "!",
        Step::Refused => "-",
    }
}

#[test]
fn every_state_meets_every_event_as_the_table_says() {
    assert_eq!(TABLE.len(), State::ALL.len());
    for (state, row) in TABLE {
        for (event, want) in Event::ALL.into_iter().zip(row) {
            assert_eq!(shown(step(*state, event)), *want, "{state:?} × {event:?}");
        }
    }
}

#[test]
fn money_moves_exactly_once_on_every_path() {
    // All paths of up to 8 events: reserved money leaves or is released once, and
    // comes back only after it had left.
    use super::Effect;
    fn walk(state: State, depth: u32, settled: u32, back: u32) {
        assert!(settled <= 1 && back <= settled, "{state:?}");
        assert_eq!(settled == 1, state.is_end(), "{state:?}");
        if depth == 0 {
            return;
        }
        for event in Event::ALL {
            if let Step::Move(to, effects) = step(state, event) {
                let count = |wanted: &[Effect]| {
                    effects.iter().filter(|e| wanted.contains(e)).count() as u32
                };
                let settles = count(&[Effect::Finalize, Effect::Release]);
                walk(
                    to,
                    depth - 1,
                    settled + settles,
                    back + count(&[Effect::GiveBack]),
                );
            }
        }
    }
    walk(State::Init, 8, 0, 0);
}

#[test]
fn an_end_state_never_goes_back() {
    for state in State::ALL.into_iter().filter(|s| s.is_end()) {
        for event in Event::ALL {
            if let Step::Move(to, _) = step(state, event) {
                assert_eq!((state, to), (State::Success, State::Returned), "{event:?}");
            }
        }
    }
}

#[test]
fn what_stays_moves_no_money() {
    use super::Effect;
    for state in State::ALL {
        for event in Event::ALL {
            if let Step::Stay(effects) = step(state, event) {
                let harmless = [Effect::OpenCase, Effect::CloseCase, Effect::PublishAgain];
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
    for state in State::ALL {
        for event in Event::ALL {
            if let Step::After(first) = step(state, event) {
                let Step::Move(between, _) = step(state, first) else {
                    panic!("{state:?} × {first:?}")
                };
                assert!(
                    matches!(step(between, event), Step::Move(..)),
                    "{between:?} × {event:?}"
                );
            }
        }
    }
}
