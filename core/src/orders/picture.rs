//! The order's life as a picture and a table, drawn from `state::step` itself, for
//! docs/ORDERS.md. A test holds the page to it.

use super::state::{Effect, Event, Step, step};
use sluice_contract::order::State;
use std::fmt::Write;

fn words(effects: &[Effect]) -> String {
    effects
        .iter()
        .map(|e| e.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// A Mermaid diagram of every move; events that lead the same way share an arrow.
pub fn diagram() -> String {
    let mut text = String::from(
        "```mermaid\nstateDiagram-v2\n    [*] --> init: accepted\n    [*] --> booking: accepted, books apart\n",
    );
    for from in State::ALL {
        for to in State::ALL {
            let events: Vec<String> = Event::ALL
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
    for end in State::ALL.into_iter().filter(|s| s.is_end()) {
        let _ = writeln!(text, "    {} --> [*]", end.as_str());
    }
    text + "```\n"
}

/// How the event leads from one state to the other, if it does.
fn leads(from: State, event: Event, to: State) -> Option<String> {
    match step(from, event) {
        Step::Move(next, _) => (next == to).then(|| event.as_str().to_owned()),
        Step::After(first) => match step(from, first) {
            Step::Move(between, _) => {
                leads(between, event, to).map(|e| format!("{} then {e}", first.as_str()))
            }
            _ => None,
        },
        _ => None,
    }
}

/// What each event does in each state: one line per event, grouped by what it does.
pub fn table() -> String {
    let mut text = String::from("| event | in | leads to | and does |\n|---|---|---|---|\n");
    for event in Event::ALL {
        let mut rows: Vec<(String, String, Vec<&str>)> = Vec::new();
        for state in State::ALL {
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

fn outcome(step: Step) -> (String, String) {
    let dash = |words: String| {
        if words.is_empty() {
            "–".to_owned()
        } else {
            words
        }
    };
    match step {
        Step::Move(to, effects) => (format!("**{}**", to.as_str()), dash(words(effects))),
        Step::Stay(effects) => ("stays".into(), words(effects)),
        Step::After(first) => (
            format!("`{}` first, then again", first.as_str()),
            "as those do".into(),
        ),
        Step::Already => ("stays".into(), "nothing: known already, or no news".into()),
        Step::Contradiction(why) => ("stays".into(), format!("**contradiction**, a case: {why}")),
        Step::Refused => ("stays".into(), "refused".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// The page with the text between `begin` and `end` of that name replaced.
    fn with(page: &str, name: &str, text: &str) -> String {
        let (begin, end) = (
            format!("<!-- {name}: from core/src/orders/picture.rs -->\n"),
            format!("<!-- end {name} -->"),
        );
        let from = page.find(&begin).expect("the page has the mark") + begin.len();
        let to = page.find(&end).expect("the page has the end mark");
        format!("{}{text}{}", &page[..from], &page[to..])
    }

    #[test]
    fn the_page_shows_what_the_function_does() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ORDERS.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let want = with(&with(&page, "picture", &diagram()), "table", &table());
        if std::env::var_os("SLUICE_BLESS").is_some() {
            std::fs::write(&path, &want).unwrap();
        } else {
            assert!(
                page == want,
                "docs/ORDERS.md is behind `step`: run this test with SLUICE_BLESS=1"
            );
        }
    }

    #[test]
    fn nothing_is_left_out() {
        let (picture, table) = (diagram(), table());
        assert!(
            State::ALL
                .iter()
                .all(|s| picture.contains(&format!(" {}:", s.as_str())) || *s == State::Booking)
        );
        assert!(
            Event::ALL
                .iter()
                .all(|e| table.contains(&format!("`{}`", e.as_str())))
        );
        let effects = [
            Effect::Finalize,
            Effect::Release,
            Effect::GiveBack,
            Effect::CloseAttempt,
            Effect::FreeLimits,
            Effect::OpenCase,
            Effect::CloseCase,
            Effect::Publish,
            Effect::PublishAgain,
        ];
        assert!(effects.iter().all(|e| table.contains(e.as_str())));
    }
}
