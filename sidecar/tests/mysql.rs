//! The whole sidecar on MySQL: migrations, lease, fence, verdicts, breakers, a kill,
//! and a restart of the server.

use crate::server::TestServer;
use crate::server::balances::{verdicts, write_balance, write_token};
use crate::server::daemon::SidecarProcess;
use crate::server::tail::{position, schemas, tail};
use mysql_async::prelude::Queryable;
use sluice_sidecar::stream::change::ColumnValue;
use sluice_sidecar::stream::position::StartPosition;

#[tokio::test(flavor = "multi_thread")]
async fn it_works_as_on_mariadb() {
    let Some(mut server) = TestServer::mysql("mysql", &[]).await else {
        return;
    };
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    conn.query_drop("SET GLOBAL binlog_rows_query_log_events=OFF")
        .await
        .unwrap();
    let mut sidecar =
        SidecarProcess::start(server.dir(), "mysql", &format!("url = '{}'", server.url()));
    sidecar
        .until_ready(Some("SET GLOBAL binlog_rows_query_log_events = 'ON'"))
        .await;
    conn.query_drop("SET GLOBAL binlog_rows_query_log_events=ON")
        .await
        .unwrap();
    sidecar.until_ready(None).await;

    for number in 1..=20 {
        write_balance(&mut conn, number, true).await.unwrap();
        write_balance(&mut conn, number, false).await.unwrap();
        write_token(&mut conn, number).await.unwrap();
        if number == 10 {
            sidecar.process.restart().unwrap();
        }
    }
    sidecar.until_ready(None).await;
    sidecar.until_token(20).await;
    assert_eq!(verdicts(&mut conn, 999_999).await, (20, 20));
    let open: Option<u64> = conn
        .query_first(
            "SELECT COUNT(*) FROM t_guard.breaker WHERE state='open' AND scope='account' AND scope_key LIKE 'f%'",
        )
        .await
        .unwrap();
    assert_eq!(open, Some(20));
    let position: Option<String> = conn
        .query_first("SELECT position FROM t_guard.checkpoint")
        .await
        .unwrap();
    assert!(
        position.is_some_and(|p| p.contains(":1-")),
        "no position of MySQL"
    );

    server.restart(&[]).await;
    let mut conn = server.conn().await;
    write_balance(&mut conn, 21, true).await.unwrap();
    write_token(&mut conn, 21).await.unwrap();
    sidecar.until_ready(None).await;
    sidecar.until_token(21).await;
    assert_eq!(verdicts(&mut conn, 999_999).await, (21, 21));
}

/// MySQL Shell tags its own transactions. A tag numbers by itself, so it is part of a
/// position; old positions and whole files with tags are read as well.
#[tokio::test(flavor = "multi_thread")]
async fn tagged_gtids_are_read_on() {
    let Some(server) = TestServer::mysql("tagged", &[]).await else {
        return;
    };
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    let at_first = position(&server).await;
    let live = tail(&server, 960, &at_first, StartPosition::Now);
    for statement in [
        "SET SESSION gtid_next = 'AUTOMATIC:shell'",
        "CREATE DATABASE other_tagged",
        "INSERT INTO t_guard.fence_token (instance,token,updated_us) VALUES ('tagged',1,1)",
        "SET SESSION gtid_next = 'AUTOMATIC'",
        "INSERT INTO t_guard.fence_token (instance,token,updated_us) VALUES ('plain',1,1)",
        "FLUSH BINARY LOGS",
        "INSERT INTO t_guard.fence_token (instance,token,updated_us) VALUES ('after',1,1)",
    ] {
        conn.query_drop(statement).await.unwrap();
    }
    let (all, rows, reached) = live.transactions(3);
    assert_eq!(rows.len(), 3);
    assert!(
        all[0].position.ends_with(":shell:2"),
        "{:?}",
        all[0].position
    );
    assert_eq!(reached, position(&server).await);
    assert!(reached.contains(":shell:1-2"), "{reached}");

    // From a position with a tag, only what came after it comes.
    let resumed = tail(&server, 961, &reached, StartPosition::Now);
    conn.query_drop(
        "INSERT INTO t_guard.fence_token (instance,token,updated_us) VALUES ('resumed',1,1)",
    )
    .await
    .unwrap();
    let (again, _, _) = resumed.transactions(1);
    assert!(
        again[0].changes[0]
            .after
            .as_ref()
            .unwrap()
            .contains(&ColumnValue::Text("resumed".into()))
    );

    // Without one, from the second file: its list of earlier GTIDs has the tag.
    conn.query_drop("PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY")
        .await
        .unwrap();
    let oldest = tail(&server, 962, "", StartPosition::Oldest);
    let (_, _, whole) = oldest.transactions(2);
    assert_eq!(whole, position(&server).await);
}
