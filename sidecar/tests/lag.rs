//! Lag that doesn't lie: an idle server, a frozen one, and a sidecar that is stuck
//! look different, each in the figure that is meant for it.

use crate::server::TestServer;
use crate::server::balances::write_balance;
use crate::server::daemon::SidecarProcess;
use crate::server::tail::schemas;
use mysql_async::prelude::Queryable;
use std::time::Duration;

const HEARTBEAT_WAIT_METRIC: &str = "sluice_sidecar_heartbeat_wait_seconds";
const SOURCE_SILENCE_METRIC: &str = "sluice_sidecar_source_silence_seconds{source=\"binlog\"}";
const POSITION_DISTANCE_METRIC: &str = "sluice_sidecar_position_lag_transactions{server=\"main\"}";
const POSITION_AGE_METRIC: &str = "sluice_sidecar_position_age_seconds{server=\"main\"}";

#[tokio::test(flavor = "multi_thread")]
async fn idle_frozen_and_stuck_are_told_apart() {
    let server = TestServer::start("lag", &[]).await;
    server.migrate(&schemas()).await;
    let sidecar = SidecarProcess::start(server.dir(), "lag", &format!("url = '{}'", server.url()));
    sidecar.until_ready(None).await;

    // Idle but for our own heartbeats: nothing waits, for as long as one looks.
    tokio::time::sleep(Duration::from_secs(3)).await;
    for (name, most) in [
        (HEARTBEAT_WAIT_METRIC, 2.0),
        (SOURCE_SILENCE_METRIC, 2.0),
        (POSITION_DISTANCE_METRIC, 20.0),
        (POSITION_AGE_METRIC, 2.0),
    ] {
        sidecar.until_metric(name, |value| value <= most).await;
    }

    // Stuck in the middle of its work: the server goes on and speaks, we don't.
    let mut holds = server.conn().await;
    holds.query_drop("START TRANSACTION").await.unwrap();
    holds
        .query_drop("SELECT * FROM t_guard.lease FOR UPDATE")
        .await
        .unwrap();
    // The next beat waits for that lock, and with it everything behind.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut conn = server.conn().await;
    for number in 0..300 {
        write_balance(&mut conn, number, false).await.unwrap();
    }
    sidecar
        .until_metric(POSITION_DISTANCE_METRIC, |value| value >= 300.0)
        .await;
    sidecar
        .until_metric(HEARTBEAT_WAIT_METRIC, |value| value > 2.5)
        .await;
    assert!(sidecar.metric(SOURCE_SILENCE_METRIC).await.unwrap() < 2.5);
    assert!(sidecar.metric(POSITION_AGE_METRIC).await.unwrap() < 2.5);
    holds.query_drop("ROLLBACK").await.unwrap();
    sidecar
        .until_metric(POSITION_DISTANCE_METRIC, |value| value < 20.0)
        .await;
    sidecar
        .until_metric(HEARTBEAT_WAIT_METRIC, |value| value < 2.0)
        .await;

    // Frozen: no figure stays where it was, and it is blind.
    server.freeze(true);
    for name in [
        HEARTBEAT_WAIT_METRIC,
        SOURCE_SILENCE_METRIC,
        POSITION_AGE_METRIC,
    ] {
        sidecar.until_metric(name, |value| value > 3.0).await;
    }
    sidecar.until_ready(Some("binlog")).await;
    server.freeze(false);
    sidecar.until_ready(None).await;
    for name in [
        HEARTBEAT_WAIT_METRIC,
        SOURCE_SILENCE_METRIC,
        POSITION_AGE_METRIC,
    ] {
        sidecar.until_metric(name, |value| value < 2.0).await;
    }
}
