//! Several leaderships in one process: what belongs to one must not be missed by the next.

use crate::server::TestServer;
use crate::server::balances::{verdicts, write_balance, write_token};
use crate::server::daemon::SidecarProcess;
use crate::server::tail::schemas;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::provenance::EffectField::{Int, Text};
use sluice_contract::settings::Secret;
use sluice_sidecar::guard_rows::GuardRows;
use std::time::{Duration, Instant};

/// Gives the lease to somebody else for a moment, and waits until the sidecar noticed.
async fn depose(server: &TestServer, sidecar: &SidecarProcess) {
    let mut conn = server.conn().await;
    let until_us = now_us() + 1_500_000;
    // As another sidecar takes it.
    let held: Option<i64> = conn
        .query_first("SELECT epoch FROM t_guard.lease")
        .await
        .unwrap();
    let epoch = held.unwrap() + 1;
    let row = [
        Text(b"sidecar"),
        Text(b"other"),
        Int(epoch.into()),
        Int(until_us.into()),
    ];
    let mac = GuardRows::new(Secret::new(&"k".repeat(32))).mac("lease", &row);
    let sql = "UPDATE t_guard.lease SET owner='other', epoch=?, expires_us=?, mac=?";
    conn.exec_drop(sql, (epoch, until_us, mac)).await.unwrap();
    sidecar.until_ready(Some("lease held by other")).await;
    let begun = Instant::now();
    loop {
        let owner: Option<String> = conn
            .query_first("SELECT owner FROM t_guard.lease")
            .await
            .unwrap();
        if owner.is_some_and(|owner| owner == "reigns") {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "the lease was not taken back"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_two_servers_each_reign_sees_both() {
    let (first, books) = tokio::join!(
        TestServer::start("reigns", &[]),
        TestServer::start("reigns-books", &["--server-id=2"])
    );
    first.migrate(&schemas()).await;
    books.migrate(&schemas()).await;
    let mysql = format!(
        "url = '{}'\n[[mysql.book_servers]]\nname = 'books'\nurl = '{}'\nschemas = ['balance']",
        first.url(),
        books.url()
    );
    let mut sidecar = SidecarProcess::start(first.dir(), "reigns", &mysql);
    // From a checkpoint: then a leadership is the first to ask the other server anything.
    sidecar.until_ready(None).await;
    sidecar.process.restart().unwrap();
    let (mut conn, mut other) = (first.conn().await, books.conn().await);
    for reign in 1..=4 {
        sidecar.until_ready(None).await;
        write_balance(&mut other, reign, true).await.unwrap();
        write_token(&mut conn, reign).await.unwrap();
        sidecar.until_token(reign).await;
        assert_eq!(verdicts(&mut conn, 999).await, (reign, reign));
        depose(&first, &sidecar).await;
    }
}
