use super::*;
use serde_json::json;

#[test]
fn a_verdict_is_understood_without_the_code() {
    let verdict = json!({
        "verdictId": "ab", "rule": "paid_once", "ruleHash": "h", "setVersion": 7, "mode": "trip", "outcome": "violation",
        "message": "paid twice", "accountId": "A-1", "item": "o-9", "amount": "12.50", "foundUs": 1_000_000, "opened": 1,
        "suppression": null, "breaker": "cash_out/account/A-1", "position": "0-1-9",
        "about": { "guards": "An order is paid once.", "severity": "critical", "owner": "risk", "runbook": "Ask the channel." },
        "breakers": [{ "point": "cash_out", "scope": "account", "key": "A-1", "state": "closed", "updatedUs": 0, "changedBy": "ann" }],
        "detail": {
            "inputs": [{ "position": "0-1-9", "what": "row 1: attempt insert" }],
            "reads": [{ "position": "0-1-9", "of": "row 1: attempt insert, after", "name": "amount", "value": "12.50" }],
            "params": { "most": "2" }, "cut": false,
        },
    });
    let text = explain(&verdict);
    for part in [
        "paid twice",
        "A-1",
        "An order is paid once.",
        "it stops money",
        "cash_out/account/A-1: now closed",
        "by ann",
        "row 1: attempt insert ",
        "at 0-1-9",
        "amount",
        "12.50",
        "most",
        "Ask the channel.",
        "set 7",
        "1970-01-01 00:00:01Z",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    let silent = json!({ "outcome": "undetermined", "mode": "shadow", "breaker": null, "suppression": null, "position": "p" });
    let text = explain(&silent);
    assert!(
        text.contains("could not decide")
            && text.contains("Stopped   nothing")
            && text.contains("change at p"),
        "{text}"
    );
}
