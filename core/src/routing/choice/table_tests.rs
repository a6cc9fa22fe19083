//! Decisions as tables: the channel that takes an order, or why none does.

use super::tests::{decide, order, outcome_of};

/// More of a configuration, an amount in cents, and the outcome.
type DecisionCase = (String, i64, &'static str);

const ALL_CHANNELS: &str = "details.\"*\" = { most = 1 }";

fn rule(condition: &str, otherwise: &str, details: &str) -> String {
    format!(
        "[[rule]]\nid = \"r\"\ncondition = '{condition}'\nmessage = \"no\"\notherwise = \"{otherwise}\"\n{details}\n"
    )
}

fn limit(rest: &str) -> String {
    format!("[[limit]]\ncurrency = \"CNY\"\n{rest}\n")
}

fn check(cases: impl IntoIterator<Item = DecisionCase>) {
    for (more, cents, want) in cases {
        let decision = decide(&more, &order(cents), None);
        assert_eq!(outcome_of(&decision), want, "{more}");
    }
}

#[test]
fn decisions_by_table() {
    let only_nets = "details.netsunion = { most = 1 }";
    let own = "details = { \"*\" = { most = 1 }, unionpay = { most = 500 } }";
    check([
        (String::new(), 100, "netsunion"),
        (
            rule("amount <= most", "fail", only_nets),
            200,
            "unionpay|netsunion rule r",
        ),
        (rule("amount <= most", "fail", only_nets), 100, "netsunion"),
        (
            rule("amount <= most", "fail", ALL_CHANNELS),
            200,
            "fails|netsunion rule r|unionpay rule r",
        ),
        (
            rule("amount <= most", "wait", ALL_CHANNELS),
            200,
            "waits|netsunion rule r|unionpay rule r",
        ),
        (
            rule("amount <= most", "fail", own),
            200,
            "unionpay|netsunion rule r",
        ),
        (
            rule("10 / (amount - 2) < 1", "fail", ""),
            200,
            "waits|netsunion rule r|unionpay rule r",
        ),
        // What can never pass is told before what may pass later.
        (
            limit("scope = \"account\"\nday = 1") + &rule("amount <= most", "fail", ALL_CHANNELS),
            200,
            "fails|netsunion rule r|unionpay rule r",
        ),
    ]);
}

#[test]
fn limits_by_table() {
    check([
        (
            limit("scope = \"account\"\nday = 1000"),
            10_000,
            "netsunion",
        ),
        (
            limit("scope = \"account\"\nday = 1000"),
            10_001,
            "waits|netsunion limit day account/A-1/CNY|unionpay limit day account/A-1/CNY",
        ),
        (
            limit("scope = \"account\"\nmonth = \"2999.99\"\notherwise = \"fail\""),
            10_000,
            "fails|netsunion limit month account/A-1/CNY|unionpay limit month account/A-1/CNY",
        ),
        (
            limit("scope = \"account\"\nchannel = \"netsunion\"\nsingle = 5"),
            501,
            "unionpay|netsunion limit single account/A-1/CNY",
        ),
        (
            limit("scope = \"channel\"\nkey = \"netsunion\"\nsingle = 5"),
            501,
            "unionpay|netsunion limit single channel/netsunion/CNY",
        ),
        // The account's own row alone holds for it.
        (
            limit("scope = \"account\"\nday = 1")
                + &limit("scope = \"account\"\nkey = \"A-1\"\nday = 5000"),
            100,
            "netsunion",
        ),
        // Another currency's limit is none of ours.
        (
            "[[limit]]\ncurrency = \"JPY\"\nscope = \"account\"\nday = 1\n".to_owned(),
            100,
            "netsunion",
        ),
    ]);
}

#[test]
fn whoever_names_no_user_is_not_beyond_the_limits_of_users() {
    let mut nameless = order(100);
    nameless.user_id = None;
    for (limit, want) in [
        (
            limit("scope = \"user\"\nday = 1000"),
            "fails|netsunion limit user/-/CNY|unionpay limit user/-/CNY",
        ),
        (
            limit("scope = \"user\"\nkey = \"U9\"\nchannel = \"netsunion\"\nday = 1000"),
            "unionpay|netsunion limit user/-/CNY",
        ),
        (
            "[[limit]]\ncurrency = \"JPY\"\nscope = \"user\"\nday = 1\n".to_owned(),
            "netsunion",
        ),
    ] {
        let decision = decide(&limit, &nameless, None);
        assert_eq!(outcome_of(&decision), want, "{limit}");
        if want.starts_with("fails") {
            assert!(decision.route.rejected[0].reason.contains("userId"));
        }
    }
}
