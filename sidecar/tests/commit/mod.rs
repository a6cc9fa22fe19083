//! A commit writes once, and a deposed sidecar can't write at all.

mod lease;

use crate::server::TestServer;
use mysql_async::prelude::Queryable;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use sluice_contract::telemetry::Readiness;
use sluice_sidecar::active_rules::ActiveRuleSet;
use sluice_sidecar::breakers::seal::BreakerSeal;
use sluice_sidecar::fence::FencePublisher;
use sluice_sidecar::health::Health;
use sluice_sidecar::health::blind::Blind;
use sluice_sidecar::health::status::SidecarStatus;
use sluice_sidecar::leader::checkpoint_repo::{CheckpointRow, read_checkpoint, write_checkpoint};
use sluice_sidecar::leader::lease_repo::{LEASE_TTL_US, acquire, reacquire};
use sluice_sidecar::metrics::metrics;
use sluice_sidecar::pipeline::commit::{BatchCommitter, LeadershipEnd};
use sluice_sidecar::verdicts::Verdict;
use std::time::Duration;

fn verdict(id: u32, mode: &'static str, outcome: &'static str, account: &str) -> Verdict {
    let opens = mode == "trip" && outcome == "violation";
    Verdict {
        verdict_id: format!("{id:032x}"),
        rule: "balance-adds-up".to_owned(),
        rule_hash: "0".repeat(16),
        mode,
        outcome,
        position: "0-1-7".to_owned(),
        item: "退票".to_owned(),
        account_id: account.to_owned(),
        message: "it's wrong; DROP TABLE".to_owned(),
        breakers: if opens {
            vec![format!("cash_out/account/{account}").parse().unwrap()]
        } else {
            vec![]
        },
        ..Verdict::default()
    }
}

fn place(source: &str, position: &str) -> CheckpointRow {
    CheckpointRow {
        source: source.to_owned(),
        position: position.to_owned(),
        replay_from: "0-1-5".to_owned(),
    }
}

/// A committer of the leader `one`.
fn committer(server: &TestServer, schemas: &Schemas, epoch: i64) -> BatchCommitter {
    let blind = Blind::new(
        Readiness::default(),
        prometheus::IntGauge::new("c", "c").unwrap(),
    );
    BatchCommitter {
        pool: sluice_contract::sql::pool(&server.url(), 2).unwrap(),
        schemas: schemas.clone(),
        owner: "one".to_owned(),
        epoch,
        checkpoint: Duration::from_millis(500),
        fence: FencePublisher::new(
            blind.clone(),
            BreakerSeal::new(Secret::new("0123456789abcdef")),
        ),
        health: Health {
            blind,
            status: SidecarStatus::default(),
            metrics: metrics().unwrap(),
        },
        stop: Default::default(),
        binlog: place("binlog", "0-1-7"),
        also: vec![place("binlog:balance", "0-2-3")],
        kafka: Some(place("kafka", "a=1")),
        rules_hash: "1".repeat(16),
        dead_letters: Default::default(),
        rules: ActiveRuleSet::channel().1,
        split_books: false,
        seal: BreakerSeal::new(Secret::new("0123456789abcdef")),
        state: Default::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn once_and_only_by_the_holder() {
    let server = TestServer::start("commit", &[]).await;
    let schemas = Schemas::under("t").unwrap();
    server.migrate(&schemas).await;
    let mut conn = server.conn().await;
    let epoch = acquire(&mut conn, &schemas, "one", 1_000, LEASE_TTL_US)
        .await
        .unwrap()
        .unwrap();
    let held = acquire(
        &mut conn,
        &schemas,
        "two",
        1_000 + LEASE_TTL_US - 1,
        LEASE_TTL_US,
    )
    .await
    .unwrap()
    .unwrap_err();
    assert_eq!((held.owner.as_str(), held.epoch), ("one", epoch));
    let mut committer = committer(&server, &schemas, epoch);
    let found = [
        verdict(1, "trip", "violation", "a"),
        verdict(2, "trip", "violation", "a"),
        verdict(3, "trip", "undetermined", "b"),
        verdict(4, "alert", "violation", "c"),
    ];
    for _ in 0..2 {
        committer.commit(&found).await.unwrap();
    }
    committer
        .commit(&[verdict(5, "trip", "violation", "a")])
        .await
        .unwrap();
    // Said in shadow by the text that is armed now: read again, it stops nobody.
    let again = Verdict {
        before: Some(format!("{:032x}", 4)),
        ..verdict(7, "trip", "violation", "c")
    };
    committer.commit(&[again]).await.unwrap();
    let count =
        async |sql: &str| -> i64 { server.conn().await.query_first(sql).await.unwrap().unwrap() };
    assert_eq!(count("SELECT COUNT(*) FROM t_guard.verdict").await, 5);
    assert_eq!(
        count("SELECT COUNT(*) FROM t_guard.breaker WHERE state='open' AND scope_key='a' AND version=1").await,
        1
    );
    assert_eq!(count("SELECT COUNT(*) FROM t_guard.breaker").await, 1);
    assert_eq!(
        count("SELECT COUNT(*) FROM t_guard.breaker_transition").await,
        1
    );
    let stored = read_checkpoint(&mut conn, &schemas, "binlog")
        .await
        .unwrap();
    assert_eq!(stored, Some(place("binlog", "0-1-7")));

    // Another takes over: the old holder writes nothing any more.
    acquire(&mut conn, &schemas, "two", i64::MAX / 2, LEASE_TTL_US)
        .await
        .unwrap()
        .unwrap();
    let late = committer
        .commit(&[verdict(6, "trip", "violation", "z")])
        .await;
    assert!(matches!(late, Err(LeadershipEnd::LeaseLost)));
    assert_eq!(count("SELECT COUNT(*) FROM t_guard.verdict").await, 5);
    assert_eq!(count("SELECT COUNT(*) FROM t_guard.breaker").await, 1);
}

/// Many partitions make a long position: it goes over several rows and comes back
/// whole, whatever a longer one left behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_position_of_any_length_comes_back_whole() {
    let server = TestServer::start("places", &[]).await;
    let schemas = Schemas::under("t").unwrap();
    server.migrate(&schemas).await;
    let mut conn = server.conn().await;
    for (length, older) in [
        (1_000, 1_700),
        (400, 0),
        (399, 400),
        (800, 1),
        (0, 801),
        (3, 2),
    ] {
        let text = |length: usize| {
            (0..length)
                .map(|n| char::from(b'a' + (n % 26) as u8))
                .collect::<String>()
        };
        let place = CheckpointRow {
            source: "changes".to_owned(),
            position: text(length),
            replay_from: text(older),
        };
        write_checkpoint(&mut conn, &schemas, std::slice::from_ref(&place), "h", 1)
            .await
            .unwrap();
        assert_eq!(
            read_checkpoint(&mut conn, &schemas, "changes")
                .await
                .unwrap(),
            Some(place)
        );
    }
}
