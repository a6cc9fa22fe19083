//! Files that are wrong, and another sidecar's folder.

use super::*;

pub async fn a_wrong_file_changes_nothing(stage: &WorkflowSetup, one: &WorkflowSidecar) {
    let wrong = stage.rules.join("wrong.rhai");
    std::fs::write(&wrong, "no header").unwrap();
    stage.write(&rule(7, "beside a wrong file"), &cases("beside"));
    let why = one
        .until("/rules", |d| d["refused"].as_str().map(str::to_owned))
        .await;
    assert!(why.contains("wrong.rhai"), "{why}");
    one.shows(&["adds_up alert"]).await;
    std::fs::remove_file(&wrong).unwrap();
    one.shows(&["adds_up alert", "adds_up* shadow"]).await;
    // Deleted: the armed one stays, and so does its candidate.
    std::fs::write(
        stage.rules.join("other.rhai"),
        rule(1, "x").replace("adds_up", "other"),
    )
    .unwrap();
    one.shows(&["adds_up alert", "adds_up* shadow", "other shadow"])
        .await;
    std::fs::remove_file(stage.rules.join("adds_up.rhai")).unwrap();
    std::fs::remove_file(stage.rules.join("other.rhai")).unwrap();
    std::fs::write(
        stage.rules.join("more.rhai"),
        rule(1, "x").replace("adds_up", "more"),
    )
    .unwrap();
    one.shows(&["adds_up alert", "adds_up* shadow", "more shadow"])
        .await;
}

/// A standby with another folder uses the same set, and changes nothing by taking over.
pub async fn another_folder(stage: &WorkflowSetup, one: WorkflowSidecar) {
    let other = stage.server.dir().join("other-rules");
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(
        other.join("more.rhai"),
        rule(1, "x").replace("adds_up", "more"),
    )
    .unwrap();
    let two = start(&stage.server, "two", &other);
    let all = ["adds_up alert", "adds_up* shadow", "more shadow"];
    two.shows(&all).await;
    let hash = |data: &Value| Some(data["hash"].clone());
    assert_eq!(
        one.until("/rules", hash).await,
        two.until("/rules", hash).await
    );
    // What is asked of one reaches the other too.
    let body = json!({ "to": "shadow", "reason": "a test" });
    let proposed = two.done("/rules/adds_up/demote", ANN_TOKEN, body).await;
    let yes = json!({ "step": "demote", "hash": proposed["ruleHash"] });
    two.done("/rules/adds_up/approve", BOB_TOKEN, yes).await;
    one.shows(&["adds_up shadow", "adds_up* shadow", "more shadow"])
        .await;
    one.end().await;
    two.ready().await;
    two.shows(&["adds_up shadow", "adds_up* shadow", "more shadow"])
        .await;
    two.end().await;
    // Started again, with nothing but the database.
    let again = start(&stage.server, "three", &stage.server.dir().join("nowhere"));
    again.ready().await;
    again
        .shows(&["adds_up shadow", "adds_up* shadow", "more shadow"])
        .await;
    again.end().await;
}
