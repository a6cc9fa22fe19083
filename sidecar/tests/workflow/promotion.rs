//! Promotion by two people, and back again.

use super::*;

pub async fn two_people(one: &WorkflowSidecar, hash: &str) {
    let body = json!({ "to": "trip", "hash": hash, "reason": "a test" });
    let proposed = one.done("/rules/adds_up/promote", ANN_TOKEN, body).await;
    assert_eq!(proposed["done"], "proposed");
    one.shows(&["adds_up trip", "adds_up* shadow"]).await;
    let approve = "/rules/adds_up/approve";
    let trip = json!({ "step": "trip", "hash": hash });
    one.refused(approve, ANN_TOKEN, trip.clone(), "second person")
        .await;
    one.refused(
        approve,
        BOB_TOKEN,
        json!({ "step": "trip", "hash": "0" }),
        "look at it again",
    )
    .await;
    one.refused(approve, SIDECAR_TOKEN, trip.clone(), "no person's")
        .await;
    // What is proposed under this hash is another thing than bob was asked for.
    one.refused(
        approve,
        BOB_TOKEN,
        json!({ "step": "retire", "hash": hash }),
        "is trip, not retire",
    )
    .await;
    assert_eq!(
        one.done(approve, BOB_TOKEN, trip.clone()).await["done"],
        "inForce"
    );
    assert_eq!(one.shows(&["adds_up trip"]).await, hash);
    one.refused(approve, BOB_TOKEN, trip, "nothing is proposed")
        .await;
    let (_, sets) = one.call("GET", "/rules/sets", SIDECAR_TOKEN, "").await;
    let newest = &sets["data"][0];
    assert!(
        newest["createdBy"] == "bob"
            && newest["reason"]
                .as_str()
                .unwrap()
                .contains("proposed by ann"),
        "{sets}"
    );
}

pub async fn back_again(stage: &WorkflowSetup, one: &WorkflowSidecar) {
    one.refused(
        "/rules/rollback",
        ANN_TOKEN,
        json!({ "version": 99, "reason": "a test" }),
        "can't be had back",
    )
    .await;
    one.done(
        "/rules/rollback",
        ANN_TOKEN,
        json!({ "version": 1, "reason": "a test" }),
    )
    .await;
    one.shows(&["adds_up trip"]).await;
    let found = stage.violate(one, "v-3", 1).await;
    assert_eq!(found[0]["message"], "it does not add up");
    let body = json!({ "to": "alert", "reason": "a test" });
    let proposed = one.done("/rules/adds_up/demote", BOB_TOKEN, body).await;
    let yes = json!({ "step": "demote", "hash": proposed["ruleHash"] });
    one.done("/rules/adds_up/approve", ANN_TOKEN, yes).await;
    one.shows(&["adds_up alert"]).await;
    assert_eq!(stage.violate(one, "v-4", 1).await[0]["opened"], 0);
}
