//! Files that are read, written and refused.

use super::*;
use crate::routing::RoutingSet;

#[test]
fn a_file_survives_writing_and_reading() {
    let text = r#"
no_route = "fail"
[[channel]]
id = "netsunion"
priority = 1
weight = 2
paused = true
note = "线路维护"
[[rule]]
id = "r"
condition = "amount <= most && !(account in banned) && business != name"
message = "no"
otherwise = "wait"
[rule.details.netsunion]
most = { number = "0.50" }
banned = []
name = "1"
[[rule]]
id = "whole"
condition = "amount >= least"
message = "too small"
details."*".least = 1
[[limit]]
scope = "user"
currency = "CNY"
single = "100.50"
month = 7
"#;
    let (draft, lines) = parse(text).unwrap();
    assert_eq!(
        (
            lines["channel netsunion"],
            lines["rule r"],
            lines["rule whole"]
        ),
        (3, 9, 18)
    );
    assert_eq!(draft.limits[0].otherwise, NoRouteAction::Fail);
    assert!(RoutingSet::of(1, &draft).is_ok());
    let again = parse(&write(&draft).unwrap()).unwrap().0;
    assert_eq!(again, draft);
    assert_eq!(again.hash().unwrap(), draft.hash().unwrap());
    let other = parse(&text.replace("0.50", "0.51")).unwrap().0;
    assert_ne!(other.hash().unwrap(), draft.hash().unwrap());
}

/// A whole file but for what is put into it.
fn problems(more: &str) -> String {
    let text = format!("[[channel]]\nid = \"netsunion\"\npriority = 1\n{more}");
    let in_words = |all: Vec<RoutingProblem>| {
        all.iter()
            .map(RoutingProblem::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    match parse(&text) {
        Err(all) => in_words(all),
        Ok((draft, _)) => RoutingSet::of(1, &draft).map_or_else(in_words, |_| String::new()),
    }
}

/// More of a file, and a part of what is said of it; nothing is said if that is empty.
type RefusalCase = (String, &'static str);

fn rule(condition: &str, rest: &str) -> String {
    format!("[[rule]]\nid = \"r\"\ncondition = '{condition}'\nmessage = \"no\"\n{rest}\n")
}

fn limit(rest: &str) -> String {
    format!("[[limit]]\ncurrency = \"CNY\"\n{rest}\n")
}

fn rule_cases() -> Vec<RefusalCase> {
    vec![
        (String::new(), ""),
        (rule("amount <= most", ""), "rule r: condition"),
        (
            rule("amount <= most", "details.unionpay.most = 1"),
            "no such [[channel]]",
        ),
        (
            rule("amount <= most", "details.netsunion.most = \"1\""),
            "can't compare",
        ),
        (
            rule("amount <= most", "details.netsunion.most = 1.5"),
            "no float here; write",
        ),
        (
            rule(
                "amount <= most",
                "details.netsunion.most = { number = \"1e3\" }",
            ),
            "rule r: detail most",
        ),
        (
            rule(
                "amount <= most + other",
                "details.netsunion.most = 1\ndetails.\"*\".other = 1",
            ),
            "",
        ),
        (
            rule(
                "amount <= most",
                "details.netsunion = { most = 1, amount = 2 }",
            ),
            "detail \"amount\"",
        ),
        (
            rule("amount <= Most", "details.netsunion.Most = 1"),
            "detail \"Most\"",
        ),
        (
            rule("!within(w)", "details.netsunion.w = [\"daily 1-2\"]"),
            "detail w",
        ),
        (
            rule(
                "kind == \"refund\" || !within(w)",
                "details.netsunion.w = [\"xxx\"]",
            ),
            "detail w",
        ),
        (rule("!within(w)", "details.netsunion.w = 5"), "within(w)"),
        (rule("amount", ""), "not true or false"),
        (rule("loop {}", ""), "can't be read"),
        (
            rule("true", "") + &rule("true", ""),
            "rule r: is there twice",
        ),
        (rule("true", "otherwise = \"maybe\""), "line"),
        (rule("true", "colour = 1"), "colour"),
    ]
}

fn limit_cases() -> Vec<RefusalCase> {
    vec![
        (limit("scope = \"account\""), "at least one of single"),
        (limit("scope = \"account\"\nday = -1"), "day: an amount"),
        (
            limit("scope = \"account\"\nday = \"0.00001\""),
            "day: an amount",
        ),
        (
            limit("scope = \"account\"\nday = \"ten\""),
            "\"ten\" is not a number",
        ),
        (limit("scope = \"planet\"\nday = 1"), "planet"),
        (
            limit("scope = \"account\"\nchannel = \"pigeon\"\nday = 1"),
            "no such [[channel]]",
        ),
        (
            limit("scope = \"channel\"\nkey = \"pigeon\"\nday = 1"),
            "a channel's limit names",
        ),
        (
            limit("scope = \"user\"\nday = 1") + &limit("scope = \"user\"\nday = 2"),
            "limit user/*/*/CNY: is there twice",
        ),
        (
            limit("scope = \"user\"\nday = 1").replace("CNY", "XXX"),
            "XXX",
        ),
    ]
}

fn channel_cases() -> Vec<RefusalCase> {
    vec![
        (
            "[[channel]]\nid = \"netsunion\"\npriority = 2\n".to_owned(),
            "channel netsunion: is there twice",
        ),
        (
            "[[channel]]\nid = \"unionpay\"\npriority = 2\nweight = 0\n".to_owned(),
            "weight = 0",
        ),
        (
            "[[channel]]\nid = \"union pay\"\npriority = 2\n".to_owned(),
            "channel union pay: id",
        ),
    ]
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (more, part) in [rule_cases(), limit_cases(), channel_cases()].concat() {
        let said = problems(&more);
        assert!(
            if part.is_empty() {
                said.is_empty()
            } else {
                said.contains(part)
            },
            "{more}\n→ {said}"
        );
    }
    assert_eq!(
        RoutingSet::of(1, &RoutingDraft::default()).unwrap_err()[0].place,
        "channel"
    );
}
