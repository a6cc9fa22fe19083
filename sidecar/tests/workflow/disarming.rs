//! Disarming takes as many people as arming.

use super::*;
use sha2::{Digest, Sha256};

const APPROVE: &str = "/proposals/approve";
const EVERYBODY: &str = "/breakers/cash_out/all/*";

#[tokio::test(flavor = "multi_thread")]
async fn disarming_takes_two_people() {
    let stage = WorkflowSetup::up("disarming").await;
    let amount = rule(10, "it does not add up").replace("add up\")", "add up\", b.balance)");
    stage.write(&amount, &cases("add up"));
    let one = start(&stage.server, "one", &stage.rules);
    one.ready().await;
    one.shows(&["adds_up trip"]).await;
    nobody_alone(&stage, &one).await;
    everybody_goes_on_by_two(&stage, &one).await;
    a_large_suppression_takes_two(&one).await;
    an_emergency_ends_by_itself(&stage, &one).await;
    a_critical_rule_goes_down_by_two(&one).await;
    a_set_that_disarms_takes_two(&one).await;
    one.end().await;
}

fn yes(subject: &str, step: &str, proposed: &Value) -> Value {
    assert_eq!(proposed["done"], "proposed", "{proposed}");
    json!({ "subject": subject, "step": step, "hash": proposed["ruleHash"] })
}

/// Without people there is nobody to be the second; an empty folder gives nobody rights.
async fn nobody_alone(stage: &WorkflowSetup, one: &WorkflowSidecar) {
    let trip = json!({ "reason": "a test", "by": "ann" });
    one.done(&format!("{EVERYBODY}/trip"), SIDECAR_TOKEN, trip)
        .await;
    let row = one
        .until(EVERYBODY, |data| {
            data["changedBy"].as_str().map(str::to_owned)
        })
        .await;
    assert_eq!(row, "sidecar_token/ann", "nobody writes a person's name");
    let reset = json!({ "reason": "a test", "by": "ann", "version": 1 });
    let path = format!("{EVERYBODY}/reset");
    one.refused(&path, SIDECAR_TOKEN, reset.clone(), "two people")
        .await;
    std::fs::create_dir_all(stage.server.dir().join("people")).unwrap();
    one.refused(&path, SIDECAR_TOKEN, reset, "no person's")
        .await;
    stage.people();
}

async fn everybody_goes_on_by_two(stage: &WorkflowSetup, one: &WorkflowSidecar) {
    let body = json!({ "reason": "it is over", "version": 1 });
    let path = format!("{EVERYBODY}/reset");
    let proposed = one.done(&path, ANN_TOKEN, body).await;
    let yes = yes("cash_out/all/*", "reset", &proposed);
    one.refused(APPROVE, ANN_TOKEN, yes.clone(), "second person")
        .await;
    one.refused(APPROVE, SIDECAR_TOKEN, yes.clone(), "no person's")
        .await;
    let mut other = yes.clone();
    other["hash"] = json!("0");
    one.refused(APPROVE, BOB_TOKEN, other, "look at it again")
        .await;
    one.until(EVERYBODY, |data| (data["state"] == "open").then_some(()))
        .await;
    a_changed_proposal_is_nobodys(stage, one, &yes).await;
    one.done(APPROVE, BOB_TOKEN, yes.clone()).await;
    let (_, answer) = one.call("GET", EVERYBODY, ANN_TOKEN, "").await;
    let row = &answer["data"];
    assert!(
        row["state"] == "closed" && row["changedBy"] == "bob",
        "{row}"
    );
    assert!(
        row["reason"].as_str().unwrap().contains("proposed by ann"),
        "{row}"
    );
    one.refused(APPROVE, BOB_TOKEN, yes, "nothing is proposed")
        .await;
}

/// A stranger who can write the row must not have the second person's yes for another thing.
async fn a_changed_proposal_is_nobodys(stage: &WorkflowSetup, one: &WorkflowSidecar, yes: &Value) {
    let mut conn = stage.server.conn().await;
    let stored = "SELECT content, reason, rule_hash FROM t_guard.rule_proposal";
    let stored: Option<(String, String, String)> = conn.query_first(stored).await.unwrap();
    let (content, reason, hash) = stored.unwrap();
    let put = "UPDATE t_guard.rule_proposal SET content=?, rule_hash=?";
    let other = content.replace("cash_out", "refund");
    assert_ne!(other, content);
    conn.exec_drop(put, (&other, &hash)).await.unwrap();
    one.refused(APPROVE, BOB_TOKEN, yes.clone(), "was changed since")
        .await;
    // With its hash too: what the second person names is not what it is of.
    let text = format!("reset\ncash_out/all/*\n{other}\n{reason}");
    let other_hash = hex::encode(&Sha256::digest(text)[..8]);
    conn.exec_drop(put, (&other, &other_hash)).await.unwrap();
    let mut named = yes.clone();
    named["hash"] = json!(other_hash);
    one.refused(APPROVE, BOB_TOKEN, named, "is a reset of refund")
        .await;
    conn.exec_drop(put, (&content, &hash)).await.unwrap();
}

async fn a_large_suppression_takes_two(one: &WorkflowSidecar) {
    let body = |cap: &str| {
        let expires_us = sluice_contract::clock::now_us() + 60_000_000;
        json!({ "rule": "adds_up", "key": "s-1", "reason": "known", "amount_cap": cap, "expires_us": expires_us })
    };
    let small = one.done("/suppressions", ANN_TOKEN, body("9000.00")).await;
    assert_eq!(small["author"], "ann");
    // Two small ones are a large one.
    let large = one.done("/suppressions", ANN_TOKEN, body("1000.01")).await;
    let (_, waiting) = one.call("GET", "/proposals", ANN_TOKEN, "").await;
    let subject = waiting["data"][0]["rule"].as_str().unwrap().to_owned();
    let (_, listed) = one.call("GET", "/suppressions", ANN_TOKEN, "").await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 1, "{listed}");
    let made = one
        .done(APPROVE, BOB_TOKEN, yes(&subject, "suppress", &large))
        .await;
    assert!(
        made["author"] == "ann" && made["reason"] == "known; approved by bob",
        "{made}"
    );
    let (_, listed) = one.call("GET", "/suppressions", ANN_TOKEN, "").await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 2, "{listed}");
}

async fn an_emergency_ends_by_itself(stage: &WorkflowSetup, one: &WorkflowSidecar) {
    let demote = "/rules/adds_up/demote";
    let body =
        |minutes: i64| json!({ "to": "alert", "reason": "it stops everybody", "minutes": minutes });
    one.refused(demote, ANN_TOKEN, body(61), "two people").await;
    let done = one.done(demote, ANN_TOKEN, body(60)).await;
    assert_eq!(done["done"], "inForce");
    one.shows(&["adds_up alert"]).await;
    metric(one, "sluice_sidecar_emergency_demotions 1").await;
    // Nor can the same person go on from there, step by step.
    let lower = json!({ "to": "shadow", "reason": "still", "minutes": 60 });
    one.done(demote, ANN_TOKEN, lower).await;
    let hash = one.shows(&["adds_up shadow"]).await;
    let draft = json!({ "to": "draft", "reason": "away with it" });
    let proposed = one.done(demote, ANN_TOKEN, draft).await;
    assert_eq!(proposed["done"], "proposed");
    let alert = json!({ "to": "alert", "hash": hash, "reason": "so that it is forgotten" });
    one.refused("/rules/adds_up/promote", ANN_TOKEN, alert, "for a while")
        .await;
    let over = "UPDATE t_guard.timed_change SET until_us=1 WHERE kind='mode'";
    stage.server.conn().await.query_drop(over).await.unwrap();
    one.shows(&["adds_up trip"]).await;
    metric(one, "sluice_sidecar_emergency_demotions 0").await;
}

async fn a_critical_rule_goes_down_by_two(one: &WorkflowSidecar) {
    let body = json!({ "to": "shadow", "reason": "it is wrong" });
    let proposed = one.done("/rules/adds_up/demote", ANN_TOKEN, body).await;
    one.shows(&["adds_up trip"]).await;
    let yes = json!({ "step": "demote", "hash": proposed["ruleHash"] });
    one.refused(
        "/rules/adds_up/approve",
        ANN_TOKEN,
        yes.clone(),
        "second person",
    )
    .await;
    one.done("/rules/adds_up/approve", BOB_TOKEN, yes).await;
    one.shows(&["adds_up shadow"]).await;
}

async fn a_set_that_disarms_takes_two(one: &WorkflowSidecar) {
    let back = |version: i64| json!({ "version": version, "reason": "as it was" });
    let low = one.until("/rules", |data| data["version"].as_i64()).await;
    let armed = one.done("/rules/rollback", ANN_TOKEN, back(1)).await;
    assert_eq!(armed["done"], "inForce");
    one.shows(&["adds_up trip"]).await;
    let proposed = one.done("/rules/rollback", ANN_TOKEN, back(low)).await;
    let yes = yes(&format!("set {low}"), "rollback", &proposed);
    one.done(APPROVE, BOB_TOKEN, yes).await;
    one.shows(&["adds_up shadow"]).await;
}

async fn metric(one: &WorkflowSidecar, line: &str) {
    let begun = Instant::now();
    loop {
        let (_, metrics) = one.call("GET", "/metrics", "", "").await;
        if metrics.as_str().is_some_and(|text| text.contains(line)) {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{line}: {metrics}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
