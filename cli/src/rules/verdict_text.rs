//! A verdict in words, for a reader who may never have seen the code.

use crate::client::{text_of, time_of};
use crate::rules::{each, line};
use serde_json::Value;
use std::fmt::Write;

pub fn explain(v: &Value) -> String {
    let mut text = String::new();
    let about = &v["about"];
    let failed = v["outcome"] == "undetermined";
    let what = if failed {
        "The rule could not decide. That is not a loss, but nobody checked this change."
    } else {
        "A rule was broken."
    };
    line!(text, "{what}\n\n  {}\n", text_of(&v["message"]));
    line!(text, "Account   {}", text_of(&v["accountId"]));
    line!(text, "About     {}", text_of(&v["item"]));
    if !v["amount"].is_null() {
        line!(text, "Amount    {}", text_of(&v["amount"]));
    }
    line!(text, "Found     {}", time_of(&v["foundUs"]));
    if let Some(request) = v["correlationId"].as_str() {
        line!(text, "Request   {request}");
    }
    line!(text, "Verdict   {}\n", text_of(&v["verdictId"]));
    line!(
        text,
        "Rule      {} (version {}, set {})",
        text_of(&v["rule"]),
        text_of(&v["ruleHash"]),
        text_of(&v["setVersion"])
    );
    if !about.is_null() {
        line!(text, "It holds  {}", text_of(&about["guards"]));
        line!(
            text,
            "Severity  {}; owner: {}",
            text_of(&about["severity"]),
            text_of(&about["owner"])
        );
    }
    line!(text, "Mode      {}\n", mode(v));
    consequences(&mut text, v);
    evidence(&mut text, v);
    if !about.is_null() {
        line!(text, "What to do\n  {}", text_of(&about["runbook"]));
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
    format!("{}: {means}", text_of(&v["mode"]))
}

fn consequences(text: &mut String, v: &Value) {
    if !v["suppression"].is_null() {
        line!(
            text,
            "Stopped   nothing: suppression {} answers for it (sluice rules suppressions)",
            text_of(&v["suppression"])
        );
    }
    for b in each(&v["breakers"]) {
        let name = format!(
            "{}/{}/{}",
            text_of(&b["point"]),
            text_of(&b["scope"]),
            text_of(&b["key"])
        );
        let now = format!(
            "now {} since {}, by {}",
            text_of(&b["state"]),
            time_of(&b["updatedUs"]),
            text_of(&b["changedBy"])
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
            text_of(&input["what"]),
            text_of(&input["position"])
        );
    }
    if inputs == 0 {
        line!(text, "  the change at {}", text_of(&v["position"]));
    }
    let reads: Vec<&Value> = each(&detail["reads"]).collect();
    if !reads.is_empty() {
        line!(text, "\n  {:<44} {:<26} value", "read from", "field");
        for read in reads {
            let value = if read["value"].is_null() {
                "(nothing)".to_owned()
            } else {
                text_of(&read["value"])
            };
            line!(
                text,
                "  {:<44} {:<26} {value}",
                text_of(&read["of"]),
                text_of(&read["name"])
            );
        }
    }
    if detail["cut"] == true || !detail["tooLong"].is_null() {
        line!(text, "  (it read more than is kept)");
    }
    if let Some(params) = detail["params"].as_object().filter(|p| !p.is_empty()) {
        line!(text, "\n  set in the rule's header");
        for (name, value) in params {
            line!(text, "  {name:<44} {}", text_of(value));
        }
    }
    line!(text, "");
}

#[cfg(test)]
#[path = "verdict_text_tests.rs"]
mod tests;
