//! Orders wait for the fence and for breakers, and say why.

use crate::fence::{submit, waits_for};
use anyhow::ensure;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn sidecar_stopped_orders_wait_and_say_why_then_go_on() -> anyhow::Result<()> {
    let mut set = TestStage::up(options()).await?;
    Traffic::new("wait", 2).fund(&set.stage, 1_000).await?;
    let mut sidecar = set.stage.sidecar.take().expect("the stage has a sidecar");
    sidecar.terminate(Duration::from_secs(15)).await?;
    let order = submit(&set, "waiting-1").await?;
    waits_for(&set, &order, "fence").await?;
    // It goes on waiting: a person who looks later sees the same.
    tokio::time::sleep(Duration::from_secs(2)).await;
    waits_for(&set, &order, "sidecar").await?;
    ensure!(set.stage.book().is_empty(), "money left without a sidecar");
    sidecar.restart()?;
    set.stage.wait_for_status(&order, "success").await?;

    // One that hangs is as good as none.
    sidecar.freeze()?;
    let order = submit(&set, "waiting-2").await?;
    waits_for(&set, &order, "silent").await?;
    sidecar.thaw()?;
    set.stage.wait_for_status(&order, "success").await?;
    set.all_is_well().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_breaker_holds_orders_until_a_person_closes_it() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("wait", 2).fund(&set.stage, 1_000).await?;
    let trip = format!(
        "{}/breakers/cash_out/account/A00001/trip",
        set.stage.ports.url(set.stage.ports.sidecar)
    );
    let http = reqwest::Client::new();
    let body = r#"{"by":"test","reason":"drill"}"#;
    let bare = http
        .post(&trip)
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await?;
    ensure!(
        bare.status() == 401,
        "a breaker moved without a token: {}",
        bare.status()
    );
    let token = String::from_utf8_lossy(set.stage.token.expose()).into_owned();
    let done = http
        .post(&trip)
        .bearer_auth(token)
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await?;
    ensure!(done.status() == 200, "{}", done.text().await?);
    let order = submit(&set, "held-1").await?;
    let why = waits_for(&set, &order, "breaker").await?;
    ensure!(
        why.contains("cash_out/account/A00001") && why.contains("drill"),
        "{why}"
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    ensure!(set.stage.book().is_empty(), "money passed an open breaker");
    set.stage
        .client
        .reset("cash_out/account/A00001", "test", "the drill is over")
        .await?;
    set.stage.wait_for_status(&order, "success").await?;
    ensure!(
        set.stage
            .client
            .reset("cash_out/account/A00001", "test", "again")
            .await
            .is_err(),
        "reset twice"
    );
    set.all_is_well().await
}
