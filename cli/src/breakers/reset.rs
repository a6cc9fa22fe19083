//! `sluice breakers reset`: a person sees what is open on a breaker, names it, and closes
//! it; or sees everything that one rule stopped, and closes that.

use crate::breakers::{BreakerArgs, done};
use crate::client::{OperatorClient, text_of, time_of};
use anyhow::bail;
use serde_json::{Value, json};
use sluice_contract::breaker::{BreakerPoint, BreakerScope};
use std::collections::BTreeSet;
use std::fmt::Write;

#[derive(Debug, clap::Args)]
pub(super) struct BreakerResetArgs {
    /// refund, settlement or cash_out.
    #[arg(required_unless_present = "verdicts_of", requires_all = ["scope", "key"])]
    point: Option<BreakerPoint>,
    /// all, channel, merchant, account or currency.
    scope: Option<BreakerScope>,
    /// The channel, merchant, account or currency; * for the scope all.
    key: Option<String>,
    /// Ids of the open verdicts that your reason answers, with commas; each that is listed.
    #[arg(long, value_delimiter = ',')]
    answers: Vec<String>,
    /// The breaker's version that you looked at, as `show` prints it.
    #[arg(long)]
    version: Option<i64>,
    /// Every breaker that verdicts of this rule keep open, instead of one.
    #[arg(long, requires = "set", conflicts_with_all = ["point", "answers", "version"])]
    verdicts_of: Option<String>,
    /// The version of the rule set that found them.
    #[arg(long)]
    set: Option<i64>,
    /// The hash of the list that you looked at; without it the list is only shown.
    #[arg(long, requires = "verdicts_of")]
    accept: Option<String>,
    /// Why; it is written down beside your name, and answers the verdicts.
    #[arg(long)]
    reason: String,
}

impl BreakerResetArgs {
    pub(super) async fn send(self, client: &OperatorClient) -> anyhow::Result<String> {
        if let (Some(rule), Some(set)) = (&self.verdicts_of, self.set) {
            return self.send_many(client, rule, set).await;
        }
        let (Some(point), Some(scope), Some(key)) = (self.point, self.scope, self.key) else {
            bail!("name the breaker: POINT SCOPE KEY, or --verdicts-of RULE --set VERSION");
        };
        let path = BreakerArgs { point, scope, key }.path();
        let found = client.get(&path).await?;
        let named: BTreeSet<&str> = self.answers.iter().map(String::as_str).collect();
        let missing = open_ids(&found).filter(|id| !named.contains(id)).count();
        let text = shown(&found);
        if missing > 0 {
            let all: Vec<&str> = open_ids(&found).collect();
            bail!(
                "{text}\n{missing} of these are not answered: look at each (sluice rules explain ID), then say\n  \
                 --version {} --answers {}",
                text_of(&found["version"]),
                all.join(",")
            );
        }
        let version = self.version.map_or(found["version"].clone(), |v| json!(v));
        let body = json!({ "reason": self.reason, "version": version, "verdicts": self.answers });
        let moved = client.post(&format!("{path}/reset"), body).await?;
        Ok(format!("{text}\n{}", ended(&moved)))
    }

    async fn send_many(
        &self,
        client: &OperatorClient,
        rule: &str,
        set: i64,
    ) -> anyhow::Result<String> {
        let mut body = json!({ "rule": rule, "set_version": set, "reason": self.reason });
        if let Some(hash) = &self.accept {
            body["hash"] = json!(hash);
            let done = client.post("/breakers/reset", body).await?;
            return Ok(match done["closed"].as_u64() {
                Some(closed) => format!("{closed} closed\n{}", kept(&done)),
                None => ended(&done),
            });
        }
        Ok(planned(&client.post("/breakers/reset", body).await?))
    }
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn open_ids(found: &Value) -> impl Iterator<Item = &str> {
    items(&found["open"]).filter_map(|v| v["verdictId"].as_str())
}

/// A breaker with what a reset of it must answer.
pub(super) fn shown(found: &Value) -> String {
    let mut text = format!(
        "{}/{}/{} is {} (version {}) since {}, by {}: {}\n",
        text_of(&found["point"]),
        text_of(&found["scope"]),
        text_of(&found["key"]),
        text_of(&found["state"]),
        text_of(&found["version"]),
        time_of(&found["updatedUs"]),
        text_of(&found["changedBy"]),
        text_of(&found["reason"])
    );
    for (list, title) in [
        ("open", "open verdicts on it"),
        (
            "standing",
            "differences at rest that still stand, and keep it open",
        ),
    ] {
        let count = items(&found[list]).count();
        if count > 0 {
            let _ = writeln!(text, "{title}: {count}");
        }
        for one in items(&found[list]) {
            let _ = writeln!(
                text,
                "  {}  {} on {}, {}: {}",
                text_of(&one["verdictId"]),
                text_of(&one["rule"]),
                text_of(&one["accountId"]),
                text_of(&one["item"]),
                text_of(&one["message"])
            );
        }
    }
    text
}

/// The list of a reset of many, before it.
fn planned(plan: &Value) -> String {
    let mut text = String::new();
    for one in items(&plan["breakers"]) {
        let (breaker, version) = (text_of(&one["breaker"]), text_of(&one["version"]));
        let _ = writeln!(text, "closes {breaker} (version {version})");
    }
    let _ = writeln!(
        text,
        "{} breakers, {} verdicts answered; nothing is done yet: --accept {}",
        items(&plan["breakers"]).count(),
        items(&plan["verdicts"]).count(),
        text_of(&plan["hash"])
    );
    text + &kept(plan)
}

fn kept(plan: &Value) -> String {
    let mut text = String::new();
    for (breaker, reasons) in plan["kept"].as_object().into_iter().flatten() {
        let reasons: Vec<String> = items(reasons).map(text_of).collect();
        let _ = writeln!(text, "stays open: {breaker}: {}", reasons.join("; "));
    }
    if plan["more"] == true {
        text.push_str("there are more: the same again closes the next ones\n");
    }
    text
}

/// Proposals as a second person reads them.
pub(super) fn proposals(list: &Value) -> String {
    let mut text = String::new();
    for one in items(list) {
        let _ = writeln!(
            text,
            "{} {:?} by {} until {}: {}\n  {}\n  sluice breakers approve {:?} --step {} --hash {}",
            text_of(&one["step"]),
            text_of(&one["rule"]),
            text_of(&one["proposedBy"]),
            time_of(&one["expiresUs"]),
            text_of(&one["reason"]),
            text_of(&one["content"]),
            text_of(&one["rule"]),
            text_of(&one["step"]),
            text_of(&one["ruleHash"])
        );
    }
    match text.is_empty() {
        true => "nothing waits for a second person\n".to_owned(),
        false => text,
    }
}

fn ended(moved: &Value) -> String {
    if moved["done"] == "proposed" {
        return format!(
            "proposed until {}: a second person approves, see sluice breakers proposals\n",
            time_of(&moved["expiresUs"])
        );
    }
    done(moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_sees_what_is_open_and_what_stands() {
        let found = json!({
            "point": "cash_out", "scope": "account", "key": "A-1", "state": "open", "version": 3,
            "updatedUs": 0, "changedBy": "sidecar", "reason": "paid twice",
            "open": [{ "verdictId": "ab", "rule": "paid_once", "accountId": "A-1", "item": "o-1", "message": "twice" }],
            "standing": [{ "verdictId": "cd", "rule": "books_at_rest", "accountId": "A-1", "item": "CNY" }],
        });
        let text = shown(&found);
        for part in [
            "version 3",
            "open verdicts on it: 1",
            "ab  paid_once on A-1, o-1: twice",
            "cd  books_at_rest",
        ] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
        assert_eq!(open_ids(&found).collect::<Vec<_>>(), ["ab"]);
    }

    #[test]
    fn a_list_is_accepted_by_its_hash() {
        let plan = json!({
            "breakers": [{ "breaker": "cash_out/account/A-1", "version": 2 }], "verdicts": ["ab"],
            "kept": { "cash_out/account/B": ["1 open verdicts on it are not answered"] }, "more": true, "hash": "beef",
        });
        let text = planned(&plan);
        for part in [
            "closes cash_out/account/A-1 (version 2)",
            "--accept beef",
            "stays open: cash_out/account/B",
            "more",
        ] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
        assert_eq!(proposals(&json!([])), "nothing waits for a second person\n");
    }
}
