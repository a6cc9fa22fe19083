//! A real broker that asks for a password over TLS: core and sidecar get in by either
//! mechanism, and nobody else does; they follow it to another authority.

use crate::listeners::certificates::CertificateFolder;
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use sluice_contract::clock::now_us;
use sluice_contract::event::{BUSINESS_TOPICS, BusinessEvent, ORDER_TOPIC};
use sluice_contract::kafka::KafkaConnection;
use sluice_drill::load::EventProducer;
use sluice_drill::setup::secrets::random_hex;
use sluice_drill::setup::{BrokerSecurity, KafkaBroker};
use sluice_drill::stage::client::UpstreamSubmit;
use sluice_tests::{TestStage, options, until};
use std::time::Duration;

/// Whether a client with this connection is told of topics.
async fn is_let_in(connection: &KafkaConnection) -> anyhow::Result<bool> {
    let mut config = ClientConfig::new();
    let properties = connection.properties();
    config.extend(properties.into_iter().map(|(n, v)| (n.to_owned(), v)));
    config.set("log_level", "0");
    let consumer: BaseConsumer = config.create()?;
    let asked = tokio::task::spawn_blocking(move || {
        consumer.fetch_metadata(Some(ORDER_TOPIC), Duration::from_secs(4))
    });
    Ok(asked.await?.is_ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_asks_for_a_password_lets_in_who_has_it() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let certificates = CertificateFolder::new(&dir.path().join("certificates"))?;
    let security = BrokerSecurity {
        user: "sluice".to_owned(),
        password: random_hex(),
        key_and_certificate: certificates.path("server.both"),
        ca: certificates.path("ca.pem"),
    };
    let data = dir.path().join("kafka");
    let mut broker = KafkaBroker::start_with(&data, None, Some(&security)).await?;
    for topic in BUSINESS_TOPICS.iter().chain([&ORDER_TOPIC]) {
        broker.create_topic(topic, 2).await?;
    }
    let plain = security.connection(&broker.brokers(), "PLAIN");
    let scram = security.connection(&broker.brokers(), "SCRAM-SHA-256");
    ensure!(is_let_in(&plain).await? && is_let_in(&scram).await?);
    let wrong = BrokerSecurity {
        password: random_hex(),
        ..security.clone()
    };
    for sasl in ["PLAIN", "SCRAM-SHA-256"] {
        ensure!(
            !is_let_in(&wrong.connection(&broker.brokers(), sasl)).await?,
            "{sasl}"
        );
    }
    ensure!(!is_let_in(&KafkaConnection::open(&broker.brokers())).await?);
    let other = CertificateFolder::new(&dir.path().join("other"))?;
    let strange = BrokerSecurity {
        ca: other.path("ca.pem"),
        ..security.clone()
    };
    ensure!(!is_let_in(&strange.connection(&broker.brokers(), "PLAIN")).await?);
    let set = core_and_sidecar_get_in(&broker, &security).await?;
    // Another authority: the broker comes back with it, and its clients have not restarted.
    broker.stop().await?;
    certificates.sign_all()?;
    broker.restart().await?;
    core_and_sidecar_follow(&set, &broker, &security).await
}

/// Pays and submits once more, on a stage that has been up since before.
async fn core_and_sidecar_follow(
    set: &TestStage,
    broker: &KafkaBroker,
    security: &BrokerSecurity,
) -> anyhow::Result<()> {
    let plain = security.connection(&broker.brokers(), "PLAIN");
    let evaluated = async || {
        set.stage
            .sidecar_metric("sluice_sidecar_events_total")
            .await
    };
    let (read, told) = (evaluated().await?, published(&plain).await?);
    EventProducer::at(&plain)?.send(&payment("p-2")).await?;
    until("core and sidecar have read what came later", async || {
        let booked = set.stage.core_metric(BOOKED).await?;
        Ok(booked == 2 && evaluated().await? > read)
    })
    .await?;
    submit(set, "2").await?;
    until("the core publishes again", async || {
        Ok(published(&plain).await? > told)
    })
    .await?;
    let mut conn = set.stage.pool.get_conn().await?;
    let waiting = format!("SELECT COUNT(*) FROM {}.outbox", set.stage.schemas.orders);
    until("nothing waits for its publication", async || {
        let rows: Option<i64> = conn.query_first(&waiting).await?;
        Ok(rows == Some(0))
    })
    .await?;
    // Each payment once, although the reader began again behind what was committed.
    let booked = format!(
        "SELECT CAST(intermediate AS CHAR) FROM {}.balance WHERE account_id='M1'",
        set.stage.schemas.balance
    );
    let sum: Option<String> = conn.query_first(booked).await?;
    ensure!(sum.as_deref() == Some("20.0000"), "{sum:?}");
    Ok(())
}

const BOOKED: &str = "sluice_core_intake_events_total{result=\"booked\"}";

/// A payment to a merchant.
fn payment(number: &str) -> BusinessEvent {
    BusinessEvent {
        id: format!("e-{number}"),
        kind: "payment.succeeded".to_owned(),
        account_id: "M1".to_owned(),
        biz_no: number.to_owned(),
        amount: 10.into(),
        currency: "CNY".to_owned(),
        occurred_us: now_us(),
        payer_account_id: None,
        client: None,
    }
}

/// Funds an account and submits a withdrawal of it.
async fn submit(set: &TestStage, number: &str) -> anyhow::Result<()> {
    let deposit = format!("d-{number}");
    set.stage.client.deposit("A1", 10.into(), &deposit).await?;
    let ask = UpstreamSubmit {
        from: "A1".to_owned(),
        to: "6222020000000001".to_owned(),
        amount: "1".to_owned(),
        transaction_id: format!("t-{number}"),
        biz_no: format!("w-{number}"),
        channel: "psp".to_owned(),
    };
    set.stage.client.submit(&ask).await?;
    Ok(())
}

/// A whole stage on that broker: events go in and out.
async fn core_and_sidecar_get_in(
    broker: &KafkaBroker,
    security: &BrokerSecurity,
) -> anyhow::Result<TestStage> {
    let plain = security.connection(&broker.brokers(), "PLAIN");
    let table = format!(
        "[kafka.security]\nca = '{}'\nuser = 'sluice'\n",
        security.ca.display()
    );
    let mut options = options();
    options.brokers = Some(broker.brokers());
    options.core_extra += &format!("\n{table}sasl = 'SCRAM-SHA-256'\n");
    options.sidecar_extra += &format!("\n{table}sasl = 'PLAIN'\n");
    options.env = vec![(
        "SLUICE_KAFKA_PASSWORD".to_owned(),
        security.password.clone(),
    )];
    let set = TestStage::up(options).await?;
    let events = EventProducer::at(&plain)?;
    events.send(&payment("p-1")).await?;
    until("core and sidecar have read the payment", async || {
        let evaluated = set
            .stage
            .sidecar_metric("sluice_sidecar_events_total")
            .await?;
        Ok(set.stage.core_metric(BOOKED).await? == 1 && evaluated > 0)
    })
    .await?;
    submit(&set, "1").await?;
    until("the core has published", async || {
        Ok(published(&plain).await? > 0)
    })
    .await?;
    Ok(set)
}

/// Messages on the topic of orders.
async fn published(connection: &KafkaConnection) -> anyhow::Result<i64> {
    let mut config = ClientConfig::new();
    let properties = connection.properties();
    config.extend(properties.into_iter().map(|(n, v)| (n.to_owned(), v)));
    let consumer: BaseConsumer = config.create()?;
    let asked = tokio::task::spawn_blocking(move || {
        (0..2).try_fold(0, |sum, partition| {
            let ends = consumer.fetch_watermarks(ORDER_TOPIC, partition, Duration::from_secs(4))?;
            anyhow::Ok(sum + ends.1)
        })
    });
    asked.await?
}
