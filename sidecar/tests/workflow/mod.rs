//! A rule's way over a real MariaDB: edited in the folder, in shadow beside the armed
//! version, promoted by two people, taken back.

mod bulk_resets;
mod disarming;
mod findings;
mod folders;
mod promotion;
mod setup;
mod sidecar;

use crate::server::TestServer;
use folders::*;
use mysql_async::prelude::Queryable;
use promotion::*;
use serde_json::{Value, json};
use setup::*;
use sidecar::*;
use sluice_contract::schema::Schemas;
use sluice_sidecar::config::SidecarConfig;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

#[tokio::test(flavor = "multi_thread")]
async fn from_the_folder_to_trip_and_back() {
    let stage = WorkflowSetup::up("workflow").await;
    let one = start(&stage.server, "one", &stage.rules);
    one.ready().await;
    // The first set: modes as headers say.
    let first = one.shows(&["adds_up trip"]).await;
    nobody_has_a_token(&one, &first).await;
    stage.people();

    // An edit: in shadow beside the armed version, both see live traffic, one opens.
    let begun = Instant::now();
    stage.write(&rule(0, "edited: it does not add up"), &cases("edited"));
    let edited = one.shows(&["adds_up trip", "adds_up* shadow"]).await;
    println!("edit to shadow: {:?}", begun.elapsed());
    let found = stage.violate(&one, "v-1", 2).await;
    let mut modes: Vec<(&str, i64)> = found
        .iter()
        .map(|v| (v["mode"].as_str().unwrap(), v["opened"].as_i64().unwrap()))
        .collect();
    modes.sort_unstable();
    assert_eq!(modes, [("shadow", 0), ("trip", 1)]);
    // And it is known for how long it was evaluated.
    one.until("/rules", |data| {
        let trial = &data["rules"][1]["trial"];
        trial["evaluatedUs"]
            .as_i64()
            .filter(|us| *us > 0 && trial["gap"].is_null())
    })
    .await;
    explained(&one, &found).await;

    refused_promotions(&one, &first, &edited).await;
    let corrected = corrected_and_tested(&stage, &one).await;
    two_people(&one, &corrected).await;
    let found = stage.violate(&one, "v-2", 1).await;
    assert!(
        found[0]["message"]
            .as_str()
            .unwrap()
            .starts_with("corrected")
            && found[0]["opened"] == 1,
        "{found:?}"
    );

    back_again(&stage, &one).await;
    a_wrong_file_changes_nothing(&stage, &one).await;
    another_folder(&stage, one).await;
}

/// Refused: the wrong version, more findings than declared, a step too far.
async fn refused_promotions(one: &WorkflowSidecar, first: &str, edited: &str) {
    let to = |to: &str, hash: &str| json!({ "to": to, "hash": hash, "reason": "a test" });
    let promote = "/rules/adds_up/promote";
    one.refused(promote, ANN_TOKEN, to("trip", first), "somebody edited")
        .await;
    one.refused(promote, ANN_TOKEN, to("trip", edited), "rate_per_hour of 0")
        .await;
    one.refused(
        promote,
        ANN_TOKEN,
        to("alert", edited),
        "demote that one first",
    )
    .await;
    one.refused(promote, "x", to("trip", edited), "your own token")
        .await;
    one.refused(promote, SIDECAR_TOKEN, to("trip", edited), "no person's")
        .await;
}

/// Corrected, but its cases no longer fit; then they do. Returns the version's hash.
async fn corrected_and_tested(stage: &WorkflowSetup, one: &WorkflowSidecar) -> String {
    let to = |to: &str, hash: &str| json!({ "to": to, "hash": hash, "reason": "a test" });
    let promote = "/rules/adds_up/promote";
    stage.write(&rule(5, "corrected: it does not add up"), &cases("edited"));
    let untested = one
        .until("/rules", |d| {
            d["rules"][1]["untested"][0].as_str().map(str::to_owned)
        })
        .await;
    assert!(untested.contains("it does not"), "{untested}");
    let corrected = one.shows(&["adds_up trip", "adds_up* shadow"]).await;
    one.refused(promote, ANN_TOKEN, to("trip", &corrected), "it does not")
        .await;
    stage.write(
        &rule(5, "corrected: it does not add up"),
        &cases("corrected"),
    );
    one.until("/rules", |d| {
        d["rules"][1]["untested"]
            .as_array()
            .filter(|u| u.is_empty())
            .map(|_| ())
    })
    .await;
    corrected
}

async fn nobody_has_a_token(one: &WorkflowSidecar, hash: &str) {
    let body = json!({ "to": "trip", "hash": hash, "reason": "a test", "by": "me" });
    one.refused(
        "/rules/adds_up/promote",
        SIDECAR_TOKEN,
        body,
        "secrets_dir/people",
    )
    .await;
    let body = json!({ "to": "alert", "reason": "a test" });
    one.refused(
        "/rules/adds_up/demote",
        SIDECAR_TOKEN,
        body,
        "by must name you",
    )
    .await;
}

async fn explained(one: &WorkflowSidecar, found: &[Value]) {
    let trip = found.iter().find(|v| v["mode"] == "trip").unwrap();
    let (status, answer) = one
        .call(
            "GET",
            &format!("/verdicts/{}", trip["verdictId"].as_str().unwrap()),
            SIDECAR_TOKEN,
            "",
        )
        .await;
    let data = &answer["data"];
    assert_eq!(
        (status, data["breakers"][0]["state"].as_str()),
        (200, Some("open")),
        "{answer}"
    );
    assert_eq!(
        data["about"]["guards"],
        "A balance is available plus reserved."
    );
    assert_eq!(
        one.call("GET", "/verdicts/0", SIDECAR_TOKEN, "").await.0,
        404
    );
}
