//! The whole sidecar over a real MariaDB and librdkafka's mock of Kafka: lease,
//! fence, gate, breakers by hand, and a restart.

mod breakers;
mod fence_reader;
mod sidecar;

use crate::server::TestServer;
use crate::server::signed::raise_token;
use breakers::*;
use fence_reader::*;
use mysql_async::prelude::Queryable;
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use sidecar::*;
use sluice_contract::event::BUSINESS_TOPICS;
use sluice_contract::schema::Schemas;
use sluice_contract::wire::FenceLine;
use sluice_sidecar::config::SidecarConfig;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

async fn write_token(conn: &mut mysql_async::Conn, token: u64) {
    let key = "k".repeat(32);
    raise_token(conn, ("core-1", &key), token).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fence_breakers_and_standby() {
    let server = TestServer::start("whole", &[]).await;
    server.migrate(&Schemas::under("t").unwrap()).await;
    let kafka = MockCluster::new(1).unwrap();
    for topic in BUSINESS_TOPICS {
        kafka.create_topic(topic, 3, 1).unwrap();
    }
    let brokers = kafka.bootstrap_servers();
    let first = start(&server, &brokers, "one");
    first.ready().await;
    let mut conn = server.conn().await;
    let mut fence = first.fence("core-1").await;
    fence.until(|l| l.blind.is_none()).await;
    let mut took = Vec::new();
    for token in 1..=200_u64 {
        write_token(&mut conn, token).await;
        let begun = Instant::now();
        fence.until(|l| l.token == token).await;
        took.push(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    took.sort();
    println!(
        "token commit to announcement: p50 {:?} p90 {:?} p99 {:?}",
        took[100], took[180], took[198]
    );

    // Kafka away: tokens stand still and the fence says why.
    kafka.broker_down(-1).unwrap();
    fence
        .until(|l| l.blind.as_ref().is_some_and(|b| b.contains("kafka")))
        .await;
    write_token(&mut conn, 201).await;
    assert!(fence.line().await.token < 201);
    kafka.broker_up(-1).unwrap();
    fence.until(|l| l.token == 201 && l.blind.is_none()).await;

    events(&first, &brokers).await;
    violation(&first, &server, &mut fence).await;
    breakers_by_hand(&first).await;
    let second = start(&server, &brokers, "two");
    let mut standby = second.fence("core-1").await;
    standby
        .until(|l| {
            l.blind
                .as_ref()
                .is_some_and(|b| b.contains("lease held by one"))
        })
        .await;
    first.end().await;
    second.ready().await;
    write_token(&mut conn, 203).await;
    standby.until(|l| l.token == 203 && l.blind.is_none()).await;
    let verdicts: Option<i64> = conn
        .query_first("SELECT COUNT(*) FROM t_guard.verdict")
        .await
        .unwrap();
    assert_eq!(
        verdicts,
        Some(1),
        "what is read again must not be found again"
    );
    second.end().await;
}

/// Good events are evaluated, a bad one becomes a dead letter, and neither stops the fence.
async fn events(sidecar: &WholeSidecar, brokers: &str) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()
        .unwrap();
    for number in 0..10 {
        let payload = if number == 4 {
            "not an event".to_owned()
        } else {
            format!(
                r#"{{"id":"e{number}","type":"payment.succeeded","accountId":"a","bizNo":"b{number}","amount":"1.50","currency":"CNY","occurredUs":1795288380000001}}"#
            )
        };
        producer
            .send(
                BaseRecord::to(BUSINESS_TOPICS[0])
                    .payload(&payload)
                    .key("a"),
            )
            .unwrap();
    }
    producer.flush(Duration::from_secs(5)).unwrap();
    let begun = Instant::now();
    loop {
        let (_, status) = sidecar.call("GET", "/status", WHOLE_TOKEN, "").await;
        if status.contains("\"deadLetters\":1,\"events\":9") && status.contains("business.payment=")
        {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "{status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
