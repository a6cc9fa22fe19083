//! A primary dies and its replica is promoted: the sidecar goes on there, nothing is
//! lost or found twice; a replica that lacks what was read makes it blind.

use crate::server::Server;
use crate::server::daemon::{Daemon, verdicts, write_balance, write_token};
use crate::server::tail::schemas;
use mysql_async::prelude::Queryable;
use std::time::Duration;

/// A replica of `primary` that follows it by GTID.
async fn replica(name: &str, primary: &Server) -> Server {
    let extra = ["--server-id=2", "--log-slave-updates=ON", "--read-only=ON"];
    let replica = Server::start(name, &extra).await;
    let mut conn = replica.conn().await;
    for sql in [
        "RESET MASTER".to_owned(),
        "SET GLOBAL gtid_slave_pos=''".to_owned(),
        format!(
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={}, MASTER_USER='root', \
             MASTER_CONNECT_RETRY=1, MASTER_USE_GTID=slave_pos",
            primary.port()
        ),
        "START SLAVE".to_owned(),
    ] {
        conn.query_drop(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    replica
}

/// Waits until the replica has this row.
async fn has_token(replica: &Server, token: u64) {
    let mut conn = replica.conn().await;
    for _ in 0..200 {
        let found = conn.query_first::<u64, _>("SELECT token FROM t_guard.fence_token").await;
        if found.is_ok_and(|found| found == Some(token)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the replica does not get token {token}");
}

async fn promote(replica: &Server) {
    let mut conn = replica.conn().await;
    for sql in ["STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only=OFF"] {
        conn.query_drop(sql).await.unwrap();
    }
}

async fn faults(server: &Server, numbers: std::ops::RangeInclusive<u64>) {
    let mut conn = server.conn().await;
    for number in numbers {
        write_balance(&mut conn, number, true).await.unwrap();
        write_token(&mut conn, number).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_switch_moves_it_while_the_old_primary_lives() {
    let first = Server::start("planned", &[]).await;
    first.migrate(&schemas()).await;
    let second = replica("planned-replica", &first).await;
    let hosts = format!("url = 'mysql://root@127.0.0.1:{},127.0.0.1:{}'", first.port(), second.port());
    let sidecar = Daemon::start(first.dir(), "planned", &hosts);
    sidecar.until_ready(None).await;
    faults(&first, 1..=10).await;
    has_token(&second, 10).await;
    first.conn().await.query_drop("SET GLOBAL read_only=ON").await.unwrap();
    promote(&second).await;
    faults(&second, 11..=20).await;
    sidecar.fence().await.unwrap().until(20).await;
    sidecar.until_ready(None).await;
    assert_eq!(verdicts(&mut second.conn().await, 999).await, (20, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_replica_goes_on_and_one_that_lost_something_does_not() {
    let mut first = Server::start("primary", &[]).await;
    first.migrate(&schemas()).await;
    let mut second = replica("replica", &first).await;
    let hosts = format!("url = 'mysql://root@127.0.0.1:{},127.0.0.1:{}'", first.port(), second.port());
    let mut sidecar = Daemon::start(first.dir(), "failover", &hosts);
    sidecar.until_ready(None).await;
    faults(&first, 1..=40).await;
    sidecar.fence().await.unwrap().until(40).await;
    has_token(&second, 40).await;

    // While the primary is away and nobody is promoted, nothing is taken over.
    first.kill();
    sidecar.until_ready(Some("read-only")).await;
    promote(&second).await;
    sidecar.until_ready(None).await;
    faults(&second, 41..=80).await;
    sidecar.fence().await.unwrap().until(80).await;
    let mut conn = second.conn().await;
    assert_eq!(verdicts(&mut conn, 80).await, (80, 80));

    // The old one comes back as a replica, falls behind, and is promoted without the rest.
    first.restart(&["--read-only=ON", "--log-slave-updates=ON"]).await;
    let mut old = first.conn().await;
    old.query_drop("SET GLOBAL gtid_slave_pos=@@gtid_binlog_pos").await.unwrap();
    sidecar.until_ready(None).await;
    second.kill();
    old.query_drop("SET GLOBAL read_only=OFF").await.unwrap();
    faults(&first, 90..=99).await;
    sidecar.until_ready(Some("does not have everything that was read")).await;

    // A person has checked the gap and starts it again: it resumes where that server is.
    sidecar.process.restart().unwrap();
    sidecar.until_ready(None).await;
    faults(&first, 100..=100).await;
    sidecar.fence().await.unwrap().until(100).await;
    let (found, accounts) = verdicts(&mut old, 999).await;
    assert_eq!((found, accounts), (51, 51), "40 of before, and all that this server took since");
    assert!(second.dir().exists());
    second.kill();
}
