//! Nothing leaves unverified: without a sidecar that sees, orders wait, say why,
//! and go on when it is back.

use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_drill::setup::MariadbOptions;
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::client::UpstreamSubmit;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

async fn submit(set: &TestStage, name: &str) -> anyhow::Result<String> {
    let ask = UpstreamSubmit {
        from: "A00001".into(),
        to: "payee".into(),
        amount: "5.00".into(),
        transaction_id: name.into(),
        biz_no: name.into(),
        channel: "netsunion".into(),
    };
    set.stage.client.submit(&ask).await
}

/// What the order says it waits for, once it says something with `word` in it.
async fn waits_for(set: &TestStage, order: &str, word: &str) -> anyhow::Result<String> {
    let begun = Instant::now();
    loop {
        let shown = set.stage.client.order(order).await?;
        let why = shown["waitsFor"].as_str().unwrap_or_default().to_owned();
        if why.contains(word) {
            ensure!(shown["status"] == "init", "{shown}");
            return Ok(why);
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "never waited for {word}: {shown}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

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

#[tokio::test(flavor = "multi_thread")]
async fn wrong_binlog_settings_are_blind_and_named() -> anyhow::Result<()> {
    let base = options();
    let mariadb = MariadbOptions {
        extra: vec!["--binlog-row-image=MINIMAL".into()],
        ..base.mariadb.clone()
    };
    let mut set = TestStage::prepare(StageOptions { mariadb, ..base }).await?;
    set.stage.start_core().await?;
    let address = set.stage.ports.address(set.stage.ports.sidecar);
    let (started, seen) = tokio::join!(
        tokio::time::timeout(Duration::from_secs(6), set.stage.start_sidecar()),
        async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            sluice_drill::load::http::get(&address, "/ready").await
        }
    );
    ensure!(
        !matches!(started, Ok(Ok(()))),
        "the sidecar calls itself ready"
    );
    let (status, body) = seen?;
    ensure!(status == 503, "{status}");
    let body = String::from_utf8_lossy(&body).into_owned();
    ensure!(body.contains("binlog_row_image"), "{body}");
    Ok(())
}

/// What the binlog tells without rows: nobody knows what it did, so everybody stops,
/// and the sidecar goes on seeing.
async fn stops_everybody(by_hand: &[String], set: &TestStage) -> anyhow::Result<()> {
    Traffic::new("wait", 2).fund(&set.stage, 1_000).await?;
    set.everything_is_evaluated().await?;
    let mut conn = set.stage.pool.get_conn().await?;
    for statement in by_hand {
        conn.query_drop(statement).await?;
    }
    let order = submit(set, "unseen-1").await?;
    let why = waits_for(set, &order, "breaker").await?;
    ensure!(why.contains("cash_out/all/*"), "{why}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    ensure!(
        set.stage.book().is_empty(),
        "money left past an unreadable change"
    );
    let verdicts = set.verdicts().await?;
    ensure!(
        verdicts.len() == 1 && verdicts[0].starts_with("statement_dml"),
        "{verdicts:?}"
    );
    set.everything_is_evaluated().await
}

#[tokio::test(flavor = "multi_thread")]
async fn statement_format_on_a_guarded_table_stops_everybody() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    let update = format!(
        "UPDATE {}.balance SET available=available+500,balance=balance+500 WHERE account_id='A00001'",
        set.stage.schemas.balance
    );
    let session = [
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SET SESSION binlog_format=STATEMENT",
    ];
    let by_hand: Vec<String> = session
        .iter()
        .map(|s| (*s).to_owned())
        .chain([update])
        .collect();
    stops_everybody(&by_hand, &set).await
}

#[tokio::test(flavor = "multi_thread")]
async fn truncating_the_ledger_stops_everybody() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    let truncate = format!("TRUNCATE TABLE {}.entry", set.stage.schemas.ledger);
    stops_everybody(&[truncate], &set).await
}

/// Where it begins on Kafka is not known yet: an event that is published now would be
/// missed, and its booking called a booking without a payment.
#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_that_has_not_begun_to_read_is_never_ready() -> anyhow::Result<()> {
    let mut set = TestStage::prepare(options()).await?;
    set.stage.start_core().await?;
    let guard = set.stage.schemas.guard.clone();
    let (mut locks, mut looks) = (
        set.stage.pool.get_conn().await?,
        set.stage.pool.get_conn().await?,
    );
    locks
        .query_drop(format!("LOCK TABLES {guard}.checkpoint WRITE"))
        .await?;
    let held = async {
        let begun = Instant::now();
        let owner = format!("SELECT owner FROM {guard}.lease WHERE expires_us>0");
        while looks.query_first::<String, _>(&owner).await?.is_none() {
            ensure!(
                begun.elapsed() < Duration::from_secs(20),
                "the sidecar never took the lease"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // It stands at its checkpoint, and is asked whether it is ready all the time.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let unlocked = Instant::now();
        locks.query_drop("UNLOCK TABLES").await?;
        Ok(unlocked)
    };
    let started = async {
        set.stage.start_sidecar().await?;
        anyhow::Ok(Instant::now())
    };
    let (unlocked, ready) = tokio::try_join!(held, started)?;
    ensure!(ready > unlocked, "ready before it had read where to begin");
    set.stage.wait_for_fence().await?;
    Traffic::new("begin", 5).fund(&set.stage, 100).await?;
    set.all_is_well().await
}
