//! The end of a sidecar in order: the last checkpoint stands at what was evaluated, and
//! the lease is given up once, at once, and for good.

use crate::server::TestServer;
use crate::server::balances::{write_balance, write_token};
use crate::server::daemon::SidecarProcess;
use crate::server::fence_lines::FenceLineReader;
use crate::server::signed::{acquire, read_checkpoint, release, renew};
use crate::server::tail::{position, schemas};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_sidecar::leader::lease_repo::LEASE_TTL_US;
use sluice_sidecar::stream::gtid::GtidSet;
use std::path::Path;
use std::time::{Duration, Instant};

/// Time within which a sidecar has ended.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
/// Ends in a row: a lease that is taken again half of the times is found out.
const SHUTDOWN_ROUNDS: u64 = 6;

/// Owner, epoch and expiry of the lease.
async fn lease(conn: &mut Conn) -> (String, i64, i64) {
    conn.query_first("SELECT owner, epoch, expires_us FROM t_guard.lease")
        .await
        .unwrap()
        .unwrap()
}

/// A sidecar whose checkpoints are seldom, so that the last one is not there by chance.
fn start_with_rare_checkpoints(server: &TestServer, name: &str) -> SidecarProcess {
    let mysql = format!("url = '{}'", server.url());
    let mut sidecar = SidecarProcess::start(server.dir(), name, &mysql);
    let file = server.dir().join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&file).unwrap();
    let rare = "checkpoint_interval_ms = 3000\nmax_lag_ms = 8000";
    std::fs::write(&file, text.replace("checkpoint_interval_ms = 100", rare)).unwrap();
    sidecar.process.restart().unwrap();
    sidecar
}

fn lines_of(log: &Path, part: &str) -> usize {
    let text = std::fs::read_to_string(log).unwrap();
    text.lines().filter(|line| line.contains(part)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_checkpoint_stands_at_the_last_evaluated_position() {
    let server = TestServer::start("last-checkpoint", &[]).await;
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    let mut sidecar = start_with_rare_checkpoints(&server, "last");
    for token in 1..=3 {
        sidecar.until_ready(None).await;
        write_balance(&mut conn, token, false).await.unwrap();
        write_token(&mut conn, token).await.unwrap();
        let written = position(&server).await;
        sidecar.until_token(token).await;
        let ended = sidecar.process.terminate(STOP_TIMEOUT).await.unwrap();
        assert!(ended.success(), "{ended}; log {}", sidecar.log.display());
        let row = read_checkpoint(&mut conn, &schemas(), "binlog")
            .await
            .unwrap();
        let parse = |text: &str| GtidSet::parse(server.flavour(), text).unwrap();
        let reached = parse(&row.unwrap().position);
        let missing = reached.lacks(&parse(&written));
        assert_eq!(
            missing, 0,
            "round {token}: the checkpoint lies before {written}"
        );
        sidecar.process.restart().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lease_is_given_up_once_and_for_good() {
    let server = TestServer::start("given-up", &[]).await;
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    let mysql = format!("url = '{}'", server.url());
    let mut sidecar = SidecarProcess::start(server.dir(), "given", &mysql);
    for round in 1..=SHUTDOWN_ROUNDS {
        sidecar.until_ready(None).await;
        let held = lease(&mut conn).await;
        assert!(held.2 > now_us(), "round {round}: {held:?}");
        let ended = sidecar.process.terminate(STOP_TIMEOUT).await.unwrap();
        assert!(ended.success(), "{ended}; log {}", sidecar.log.display());
        let released = (held.0, held.1, 0);
        assert_eq!(lease(&mut conn).await, released, "round {round}");
        if round < SHUTDOWN_ROUNDS {
            sidecar.process.restart().unwrap();
        }
    }
    // Nothing that the server still had to do renews it.
    let released = lease(&mut conn).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(lease(&mut conn).await, released);
    let (taken, given_up) = (
        lines_of(&sidecar.log, "active epoch="),
        lines_of(&sidecar.log, "lease released"),
    );
    assert_eq!(taken, given_up, "log {}", sidecar.log.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_leads_without_waiting_for_the_leases_end() {
    let server = TestServer::start("at-once", &[]).await;
    server.migrate(&schemas()).await;
    let mut conn = server.conn().await;
    let mysql = format!("url = '{}'", server.url());
    let mut first = SidecarProcess::start(server.dir(), "first", &mysql);
    first.until_ready(None).await;
    let other = format!("{mysql}\nserver_id = 77");
    let second = SidecarProcess::start(server.dir(), "second", &other);
    second.until_ready(Some("lease held by first")).await;
    let epoch = lease(&mut conn).await.1;
    let mut fence = FenceLineReader::open(first.port).await.unwrap();
    assert!(fence.line().await.is_some());
    let asked = Instant::now();
    first.process.terminate(STOP_TIMEOUT).await.unwrap();
    // Its streams are closed: whoever leads now is the only one who can announce.
    while fence.line().await.is_some() {}
    let ended = Instant::now();
    while lease(&mut conn).await.0 != "second" {
        assert!(asked.elapsed() < STOP_TIMEOUT, "nobody took the lease");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let waited = ended.elapsed();
    let ttl = Duration::from_micros(LEASE_TTL_US.unsigned_abs());
    assert!(waited < ttl / 2, "the standby waited for {waited:?}");
    assert_eq!(lease(&mut conn).await.1, epoch + 1);
    second.until_ready(None).await;
}

/// An audit's or the reloader's commit may come after the release.
#[tokio::test(flavor = "multi_thread")]
async fn a_released_lease_is_taken_but_never_renewed() {
    let server = TestServer::start("released", &[]).await;
    let schemas = schemas();
    server.migrate(&schemas).await;
    let mut conn = server.conn().await;
    let epoch = acquire(&mut conn, &schemas, "one", now_us(), LEASE_TTL_US)
        .await
        .unwrap()
        .unwrap();
    for (released, renewed) in [(false, true), (true, false)] {
        if released {
            release(&mut conn, &schemas, "one", epoch).await.unwrap();
        }
        let mut tx = conn.start_transaction(Default::default()).await.unwrap();
        let until_us = now_us() + LEASE_TTL_US;
        let ours = renew(&mut tx, &schemas, "one", epoch, until_us)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(ours, renewed);
    }
    assert_eq!(lease(&mut conn).await, ("one".to_owned(), epoch, 0));
    let next = acquire(&mut conn, &schemas, "two", now_us(), LEASE_TTL_US).await;
    assert_eq!(next.unwrap().unwrap(), epoch + 1);
}
