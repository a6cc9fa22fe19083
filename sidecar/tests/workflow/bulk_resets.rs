//! One reset for everything that one rule, at one version of the set, stopped.

use super::findings::{open_on, violate_again};
use super::*;

/// Breakers that one person may close at once.
const MAX_ALONE: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_stopped_is_closed_at_once() {
    let stage = WorkflowSetup::up("bulk").await;
    stage.people();
    let wide = "//! budget = { trips_per_hour = 1000, accounts_percent = 100 }\n//! [trigger]";
    let text = rule(10, "it does not add up").replace("//! [trigger]", wide);
    stage.write(&text, &cases("add up"));
    let one = start(&stage.server, "one", &stage.rules);
    one.ready().await;
    for account in ["b-1", "b-2", "b-3"] {
        stage.violate(&one, account, 1).await;
    }
    let set = one.until("/rules", |data| data["version"].as_i64()).await;
    // What another rule found on b-3 is not answered by this.
    let other = "INSERT INTO t_guard.verdict (verdict_id,rule,rule_hash,mode,outcome,position,item,account_id,breaker,message,found_us) \
         VALUES (REPEAT('c',32),'other','h','trip','violation','p','i','b-3','cash_out/account/b-3','m',1)";
    stage.server.conn().await.query_drop(other).await.unwrap();
    let body = json!({ "rule": "adds_up", "set_version": set, "reason": "a wrong rule" });
    let plan = one.done("/breakers/reset", ANN_TOKEN, body.clone()).await;
    let closes: Vec<&str> = plan["breakers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["breaker"].as_str().unwrap())
        .collect();
    assert_eq!(closes.len(), 2, "{plan}");
    assert!(plan["kept"]["cash_out/account/b-3"].is_array(), "{plan}");
    // Listed, and nothing done; found meanwhile, it is another list.
    assert_eq!(
        open_on(&one, "/breakers/cash_out/account/b-1", 1)
            .await
            .len(),
        1
    );
    let accept = |hash: &Value| {
        let mut body = body.clone();
        body["hash"] = hash.clone();
        body
    };
    violate_again(&stage, "b-2", "USD").await;
    open_on(&one, "/breakers/cash_out/account/b-2", 2).await;
    one.refused(
        "/breakers/reset",
        ANN_TOKEN,
        accept(&plan["hash"]),
        "another list",
    )
    .await;
    let plan = one.done("/breakers/reset", ANN_TOKEN, body.clone()).await;
    let done = one
        .done("/breakers/reset", ANN_TOKEN, accept(&plan["hash"]))
        .await;
    assert_eq!(done["closed"], 2, "{done}");
    assert_eq!(open_of(&stage).await, ["b-3"]);
    many_take_two_people(&stage, &one, &body).await;
    one.end().await;
}

async fn many_take_two_people(stage: &WorkflowSetup, one: &WorkflowSidecar, body: &Value) {
    for n in 0..=MAX_ALONE {
        stage.violate(one, &format!("m-{n}"), 1).await;
    }
    let plan = one.done("/breakers/reset", ANN_TOKEN, body.clone()).await;
    let mut accept = body.clone();
    accept["hash"] = plan["hash"].clone();
    let proposed = one.done("/breakers/reset", ANN_TOKEN, accept).await;
    assert_eq!(proposed["done"], "proposed");
    assert_eq!(open_of(stage).await.len(), MAX_ALONE + 2);
    let subject = format!("reset {}", plan["hash"].as_str().unwrap());
    let yes = json!({ "subject": subject, "step": "resets", "hash": proposed["ruleHash"] });
    let approve = "/proposals/approve";
    one.refused(approve, ANN_TOKEN, yes.clone(), "second person")
        .await;
    let done = one.done(approve, BOB_TOKEN, yes).await;
    assert_eq!(done["closed"], MAX_ALONE + 1);
    assert_eq!(open_of(stage).await, ["b-3"]);
}

async fn open_of(stage: &WorkflowSetup) -> Vec<String> {
    let sql = "SELECT scope_key FROM t_guard.breaker WHERE state='open' ORDER BY 1";
    stage.server.conn().await.query(sql).await.unwrap()
}
