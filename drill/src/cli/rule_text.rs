//! Rules, sets and verdicts in words. Whoever reads this may never have seen the code.

use serde_json::Value;
use std::fmt::Write;

pub fn str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

/// UTC, to the second.
pub fn time(us: &Value) -> String {
    let at = us
        .as_i64()
        .and_then(|us| jiff::Timestamp::from_microsecond(us).ok());
    at.map_or_else(
        || "-".to_owned(),
        |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
    )
}

fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

macro_rules! line {
    ($text:expr, $($rest:tt)*) => {
        // Writing into a String can't fail.
        let _ = writeln!($text, $($rest)*);
    };
}

pub fn list(data: &Value) -> String {
    let mut text = String::new();
    line!(
        text,
        "set {} ({}) is loaded",
        str(&data["version"]),
        str(&data["hash"])
    );
    if data["version"] != data["inForce"] {
        line!(
            text,
            "set {} is in force and not loaded yet",
            str(&data["inForce"])
        );
    }
    if !data["refused"].is_null() {
        line!(
            text,
            "the folder's edits are refused, nothing of it is taken over:\n  {}",
            str(&data["refused"]).replace('\n', "\n  ")
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
        let name = format!(
            "{}{}",
            if rule["candidate"] == true {
                "└ edited: "
            } else {
                ""
            },
            str(&rule["id"])
        );
        let found = format!("{} ({})", str(&rule["findings"]), str(&rule["ratePerHour"]));
        let missing: Vec<String> = each(&rule["untested"]).map(str).collect();
        let ready = match (rule["demoted"] == true, missing.is_empty()) {
            (true, _) => "DEMOTED BY ITS BUDGET".to_owned(),
            (_, true) => "yes".to_owned(),
            (_, false) => missing.join("; "),
        };
        let (hash, mode) = (str(&rule["hash"]), str(&rule["mode"]));
        line!(
            text,
            "{name:<30} {hash:<16} {mode:<9} {found:>14} {:>7}  {:<20} {ready}",
            str(&rule["errors"]),
            time(&rule["sinceUs"])
        );
    }
    for p in each(&data["proposals"]) {
        let (rule, hash) = (str(&p["rule"]), str(&p["ruleHash"]));
        line!(
            text,
            "\nproposed: {rule} to {} by {}: {}",
            str(&p["step"]),
            str(&p["proposedBy"]),
            str(&p["reason"])
        );
        line!(
            text,
            "  until {}; a second person: sluice rules approve {rule} --to {} --hash {hash}",
            time(&p["expiresUs"]),
            str(&p["step"])
        );
    }
    text
}

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
        let version = format!("{}{}", str(&set["version"]), if at == 0 { "*" } else { "" });
        let back = if set["contentOf"] == set["version"] {
            String::new()
        } else {
            format!("back to {}: ", str(&set["contentOf"]))
        };
        let (hash, by) = (str(&set["hash"]), str(&set["createdBy"]));
        line!(
            text,
            "{version:<8} {hash:<16} {:<20} {by:<16} {back}{}",
            time(&set["createdUs"]),
            str(&set["reason"])
        );
    }
    line!(
        text,
        "* in force; an earlier one again: sluice rules rollback VERSION --reason …"
    );
    text
}

pub fn suppressions(data: &Value, now_us: i64) -> String {
    let mut text = String::new();
    for s in each(data) {
        let state = match (
            s["revokedUs"].is_null(),
            s["expiresUs"].as_i64().is_some_and(|at| at > now_us),
        ) {
            (false, _) => format!("ended {}", time(&s["revokedUs"])),
            (true, false) => format!("ran out {}", time(&s["expiresUs"])),
            (true, true) => format!("IN FORCE until {}", time(&s["expiresUs"])),
        };
        line!(
            text,
            "{}  {} on {}  {state}",
            str(&s["id"]),
            str(&s["rule"]),
            str(&s["key"])
        );
        line!(
            text,
            "    {} hits, {} of {} used; {}: {}",
            str(&s["hits"]),
            str(&s["amountUsed"]),
            str(&s["amountCap"]),
            str(&s["author"]),
            str(&s["reason"])
        );
    }
    if text.is_empty() {
        text = "there is none\n".to_owned();
    }
    text
}

pub fn done(data: &Value, what: &str) -> String {
    match data["done"].as_str() {
        Some("proposed") => format!(
            "proposed, nothing changed yet. A second person, until {}:\n  sluice rules approve {what} --to {} --hash {}\n",
            time(&data["expiresUs"]),
            str(&data["step"]),
            str(&data["ruleHash"])
        ),
        _ => format!(
            "done: set {} ({}) is in force\n",
            str(&data["version"]),
            str(&data["hash"])
        ),
    }
}

pub fn explain(v: &Value) -> String {
    let mut text = String::new();
    let about = &v["about"];
    let failed = v["outcome"] == "undetermined";
    let what = if failed {
        "The rule could not decide. That is not a loss, but nobody checked this change."
    } else {
        "A rule was broken."
    };
    line!(text, "{what}\n\n  {}\n", str(&v["message"]));
    line!(text, "Account   {}", str(&v["accountId"]));
    line!(text, "About     {}", str(&v["item"]));
    if !v["amount"].is_null() {
        line!(text, "Amount    {}", str(&v["amount"]));
    }
    line!(text, "Found     {}", time(&v["foundUs"]));
    line!(text, "Verdict   {}\n", str(&v["verdictId"]));
    line!(
        text,
        "Rule      {} (version {}, set {})",
        str(&v["rule"]),
        str(&v["ruleHash"]),
        str(&v["setVersion"])
    );
    if !about.is_null() {
        line!(text, "It holds  {}", str(&about["guards"]));
        line!(
            text,
            "Severity  {}; owner: {}",
            str(&about["severity"]),
            str(&about["owner"])
        );
    }
    line!(text, "Mode      {}\n", mode(v));
    consequences(&mut text, v);
    evidence(&mut text, v);
    if !about.is_null() {
        line!(text, "What to do\n  {}", str(&about["runbook"]));
    }
    text
}

fn mode(v: &Value) -> String {
    let means = match v["mode"].as_str() {
        Some("shadow") => "it is on trial: recorded, nobody is called, nothing stops",
        Some("alert") => "it calls a person and stops nothing",
        Some("trip") => "it stops money",
        _ => "",
    };
    format!("{}: {means}", str(&v["mode"]))
}

fn consequences(text: &mut String, v: &Value) {
    if !v["suppression"].is_null() {
        line!(
            text,
            "Stopped   nothing: suppression {} answers for it (sluice rules suppressions)",
            str(&v["suppression"])
        );
    }
    for b in each(&v["breakers"]) {
        let name = format!(
            "{}/{}/{}",
            str(&b["point"]),
            str(&b["scope"]),
            str(&b["key"])
        );
        let now = format!(
            "now {} since {}, by {}",
            str(&b["state"]),
            time(&b["updatedUs"]),
            str(&b["changedBy"])
        );
        line!(text, "Stopped   {name}: {now}");
    }
    if v["suppression"].is_null() && v["breaker"].is_null() {
        line!(text, "Stopped   nothing");
    } else if v["opened"] == 0 && v["suppression"].is_null() {
        line!(text, "          (it was open already when this was found)");
    }
    line!(text, "");
}

fn evidence(text: &mut String, v: &Value) {
    line!(text, "What it looked at");
    let detail = &v["detail"];
    let mut inputs = 0;
    for input in each(&detail["inputs"]) {
        inputs += 1;
        line!(
            text,
            "  {:<44} at {}",
            str(&input["what"]),
            str(&input["position"])
        );
    }
    if inputs == 0 {
        line!(text, "  the change at {}", str(&v["position"]));
    }
    let reads: Vec<&Value> = each(&detail["reads"]).collect();
    if !reads.is_empty() {
        line!(text, "\n  {:<44} {:<26} value", "read from", "field");
        for read in reads {
            let value = if read["value"].is_null() {
                "(nothing)".to_owned()
            } else {
                str(&read["value"])
            };
            line!(
                text,
                "  {:<44} {:<26} {value}",
                str(&read["of"]),
                str(&read["name"])
            );
        }
    }
    if detail["cut"] == true || !detail["tooLong"].is_null() {
        line!(text, "  (it read more than is kept)");
    }
    if let Some(params) = detail["params"].as_object().filter(|p| !p.is_empty()) {
        line!(text, "\n  set in the rule's header");
        for (name, value) in params {
            line!(text, "  {name:<44} {}", str(value));
        }
    }
    line!(text, "");
}

#[cfg(test)]
#[path = "rule_text_tests.rs"]
mod tests;
