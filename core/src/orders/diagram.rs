//! The order's life as a picture and a table, drawn from `state::step` itself, for
//! docs/ORDERS.md. A test holds the page to it.

use crate::orders::state::{OrderEffect, OrderInput, StateDecision, step};
use sluice_contract::order::OrderState;
use std::fmt::Write;

fn words(effects: &[OrderEffect]) -> String {
    effects
        .iter()
        .map(|e| e.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Draws a Mermaid diagram of every move; events that lead the same way share an arrow.
pub fn diagram() -> String {
    let mut text = String::from(
        "```mermaid\nstateDiagram-v2\n    [*] --> init: accepted\n    [*] --> booking: accepted, split books\n",
    );
    for from in OrderState::ALL {
        for to in OrderState::ALL {
            let events: Vec<String> = OrderInput::ALL
                .into_iter()
                .filter_map(|event| leads(from, event, to))
                .collect();
            if !events.is_empty() {
                // Writing into a String can't fail.
                let _ = writeln!(
                    text,
                    "    {} --> {}: {}",
                    from.as_str(),
                    to.as_str(),
                    events.join(", ")
                );
            }
        }
    }
    for end in OrderState::ALL.into_iter().filter(|s| s.is_end()) {
        let _ = writeln!(text, "    {} --> [*]", end.as_str());
    }
    text + "```\n"
}

/// Tells how the event leads from one state to the other, if it does.
fn leads(from: OrderState, event: OrderInput, to: OrderState) -> Option<String> {
    match step(from, event) {
        StateDecision::Move(next, _) => (next == to).then(|| event.as_str().to_owned()),
        StateDecision::After(first) => match step(from, first) {
            StateDecision::Move(between, _) => {
                leads(between, event, to).map(|e| format!("{} then {e}", first.as_str()))
            }
            StateDecision::Stay(_)
            | StateDecision::After(_)
            | StateDecision::Already
            | StateDecision::Contradiction(_)
            | StateDecision::Refused => None,
        },
        StateDecision::Stay(_)
        | StateDecision::Already
        | StateDecision::Contradiction(_)
        | StateDecision::Refused => None,
    }
}

/// Lists what each event does in each state: one line per event, grouped by what it does.
pub fn table() -> String {
    let mut text = String::from("| event | in | leads to | and does |\n|---|---|---|---|\n");
    for event in OrderInput::ALL {
        let mut rows: Vec<(String, String, Vec<&str>)> = Vec::new();
        for state in OrderState::ALL {
            let (to, does) = outcome(step(state, event));
            match rows.iter_mut().find(|(t, d, _)| *t == to && *d == does) {
                Some((_, _, states)) => states.push(state.as_str()),
                None => rows.push((to, does, vec![state.as_str()])),
            }
        }
        for (to, does, states) in rows {
            let _ = writeln!(
                text,
                "| `{}` | {} | {to} | {does} |",
                event.as_str(),
                states.join(", ")
            );
        }
    }
    text
}

fn outcome(step: StateDecision) -> (String, String) {
    let dash = |words: String| {
        if words.is_empty() {
            "–".to_owned()
        } else {
            words
        }
    };
    match step {
        StateDecision::Move(to, effects) => (format!("**{}**", to.as_str()), dash(words(effects))),
        StateDecision::Stay(effects) => ("stays".into(), words(effects)),
        StateDecision::After(first) => (
            format!("`{}` first, then again", first.as_str()),
            "as those do".into(),
        ),
        StateDecision::Already => ("stays".into(), "nothing: known already, or no news".into()),
        StateDecision::Contradiction(why) => {
            ("stays".into(), format!("**contradiction**, a case: {why}"))
        }
        StateDecision::Refused => ("stays".into(), "refused".into()),
    }
}

#[cfg(test)]
#[path = "diagram_tests.rs"]
mod tests;
