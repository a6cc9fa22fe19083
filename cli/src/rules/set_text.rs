//! Rule sets, rules and suppressions as tables for people.

use crate::client::{text_of, time_of};
use crate::rules::{each, line};
use serde_json::Value;
use std::fmt::Write;

const MICROS_PER_MINUTE: i64 = 60_000_000;

/// The rules in force, their edits on trial, and proposals that wait.
pub fn list(data: &Value) -> String {
    let mut text = String::new();
    line!(
        text,
        "set {} ({}) is loaded",
        text_of(&data["version"]),
        text_of(&data["hash"])
    );
    if data["version"] != data["inForce"] {
        line!(
            text,
            "set {} is in force and not loaded yet",
            text_of(&data["inForce"])
        );
    }
    if !data["refused"].is_null() {
        line!(
            text,
            "the folder's edits are refused, nothing of it is taken over:\n  {}",
            text_of(&data["refused"]).replace('\n', "\n  ")
        );
    }
    line!(
        text,
        "\n{:<30} {:<16} {:<9} {:>14} {:>7}  {:<20} ready",
        "rule",
        "hash",
        "mode",
        "found/h (most)",
        "errors",
        "since (UTC)"
    );
    for rule in each(&data["rules"]) {
        line!(text, "{}", rule_line(rule));
    }
    // Those that are not of a rule: `sluice breakers proposals`.
    let of_rules = each(&data["proposals"]).filter(|p| is_of_a_rule(&p["step"]));
    of_rules.for_each(|proposal| text += &proposed(proposal));
    text
}

/// A rule in force, or an edit of it that is on trial.
fn rule_line(rule: &Value) -> String {
    let id = text_of(&rule["id"]);
    let name = if rule["candidate"] == true {
        format!("└ edited: {id}")
    } else {
        id
    };
    let (findings, rate) = (text_of(&rule["findings"]), text_of(&rule["ratePerHour"]));
    let found = format!("{findings} ({rate})");
    let missing: Vec<String> = each(&rule["untested"]).map(text_of).collect();
    let ready = match (rule["demoted"] == true, missing.is_empty()) {
        (true, _) => "DEMOTED BY ITS BUDGET".to_owned(),
        (false, true) => "yes".to_owned(),
        (false, false) => missing.join("; "),
    };
    let ready = match gap_of(&rule["trial"]) {
        Some(gap) if rule["mode"] == "shadow" => format!("{ready}; {gap}"),
        Some(_) | None => ready,
    };
    let (hash, mode) = (text_of(&rule["hash"]), text_of(&rule["mode"]));
    let (errors, since) = (text_of(&rule["errors"]), time_of(&rule["sinceUs"]));
    format!("{name:<30} {hash:<16} {mode:<9} {found:>14} {errors:>7}  {since:<20} {ready}")
}

/// Says for how long a version was evaluated in shadow, if that has a gap.
fn gap_of(trial: &Value) -> Option<String> {
    let gap = trial["gap"].as_object()?;
    let minutes = trial["evaluatedUs"].as_i64().unwrap_or(0) / MICROS_PER_MINUTE;
    let until = match gap["untilUs"].is_null() {
        true => "now".to_owned(),
        false => time_of(&gap["untilUs"]),
    };
    let (from, cause) = (time_of(&gap["fromUs"]), text_of(&gap["cause"]));
    Some(format!(
        "evaluated for {minutes} min, last gap {from} until {until} ({cause})"
    ))
}

fn proposed(p: &Value) -> String {
    let (rule, hash) = (text_of(&p["rule"]), text_of(&p["ruleHash"]));
    let (step, until) = (text_of(&p["step"]), time_of(&p["expiresUs"]));
    let (by, reason) = (text_of(&p["proposedBy"]), text_of(&p["reason"]));
    format!(
        "\nproposed: {rule} to {step} by {by}: {reason}\n  \
         until {until}; a second person: sluice rules approve {rule} --to {step} --hash {hash}\n"
    )
}

/// Whether a rule's own command approves the step.
fn is_of_a_rule(step: &Value) -> bool {
    matches!(step.as_str(), Some("trip" | "retire" | "demote"))
}

/// The last sets, the one in force first.
pub fn sets(data: &Value) -> String {
    let mut text = String::new();
    line!(
        text,
        "{:<8} {:<16} {:<20} {:<16} why",
        "version",
        "hash",
        "since (UTC)",
        "by"
    );
    for (at, set) in each(data).enumerate() {
        let version = format!(
            "{}{}",
            text_of(&set["version"]),
            if at == 0 { "*" } else { "" }
        );
        let back = if set["contentOf"] == set["version"] {
            String::new()
        } else {
            format!("back to {}: ", text_of(&set["contentOf"]))
        };
        let (hash, by) = (text_of(&set["hash"]), text_of(&set["createdBy"]));
        line!(
            text,
            "{version:<8} {hash:<16} {:<20} {by:<16} {back}{}",
            time_of(&set["createdUs"]),
            text_of(&set["reason"])
        );
    }
    line!(
        text,
        "* in force; an earlier one again: sluice rules rollback VERSION --reason …"
    );
    text
}

/// Suppressions with their state at `now_us`.
pub fn suppressions(data: &Value, now_us: i64) -> String {
    let mut text = String::new();
    for s in each(data) {
        let state = match (
            s["revokedUs"].is_null(),
            s["expiresUs"].as_i64().is_some_and(|at| at > now_us),
        ) {
            (false, _) => format!("ended {}", time_of(&s["revokedUs"])),
            (true, false) => format!("ran out {}", time_of(&s["expiresUs"])),
            (true, true) => format!("IN FORCE until {}", time_of(&s["expiresUs"])),
        };
        line!(
            text,
            "{}  {} on {}  {state}",
            text_of(&s["id"]),
            text_of(&s["rule"]),
            text_of(&s["key"])
        );
        line!(
            text,
            "    {} hits, {} of {} used; {}: {}",
            text_of(&s["hits"]),
            text_of(&s["amountUsed"]),
            text_of(&s["amountCap"]),
            text_of(&s["author"]),
            text_of(&s["reason"])
        );
    }
    if text.is_empty() {
        text = "there is none\n".to_owned();
    }
    text
}

/// The outcome of a change: done, or proposed and waiting for a second person.
pub fn done(data: &Value, what: &str) -> String {
    match data["done"].as_str() {
        Some("proposed") if !is_of_a_rule(&data["step"]) => {
            format!(
                "proposed, nothing changed yet. A second person, until {}: sluice breakers proposals\n",
                time_of(&data["expiresUs"])
            )
        }
        Some("proposed") => format!(
            "proposed, nothing changed yet. A second person, until {}:\n  sluice rules approve {what} --to {} --hash {}\n",
            time_of(&data["expiresUs"]),
            text_of(&data["step"]),
            text_of(&data["ruleHash"])
        ),
        _ => format!(
            "done: set {} ({}) is in force\n",
            text_of(&data["version"]),
            text_of(&data["hash"])
        ),
    }
}
