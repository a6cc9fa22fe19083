use super::*;
use crate::load::EventProducer;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rust_decimal::Decimal;
use sluice_contract::event::{BusinessEvent, PAYMENT_SUCCEEDED};

fn event(n: i64) -> BusinessEvent {
    BusinessEvent {
        id: format!("e-{n}"),
        kind: PAYMENT_SUCCEEDED.into(),
        account_id: format!("a-{}", n % 3),
        biz_no: format!("z-{n}"),
        amount: Decimal::new(n + 1, 2),
        currency: "CNY".into(),
        occurred_us: n,
        payer_account_id: None,
        client: None,
    }
}

/// Ids per account, in the order of the topic.
fn read(brokers: &str, topic: &str, count: usize) -> Vec<BusinessEvent> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "test")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let mut events = Vec::new();
    for _ in 0..300 {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            events.push(serde_json::from_slice(message.payload().unwrap()).unwrap());
        }
        if events.len() == count {
            break;
        }
    }
    events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_loses_and_doubles_nothing() {
    let kafka = EmbeddedKafka::start().unwrap();
    let topic = event(0).topic();
    kafka.create_topic(topic, 4).unwrap();
    let producer = EventProducer::new(kafka.brokers()).unwrap();
    producer.send(&event(0)).await.unwrap();
    kafka.go_down().unwrap();
    for n in 1..200 {
        producer.queue(&event(n)).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    kafka.come_up().unwrap();
    assert_eq!(producer.flush(Duration::from_secs(30)).await.unwrap(), 200);
    let brokers = kafka.brokers().to_owned();
    let events = tokio::task::spawn_blocking(move || read(&brokers, topic, 200))
        .await
        .unwrap();
    for account in ["a-0", "a-1", "a-2"] {
        let of_account: Vec<_> = events
            .iter()
            .filter(|e| e.account_id == account)
            .map(|e| e.occurred_us)
            .collect();
        assert!(
            of_account.is_sorted_by(|a, b| a < b),
            "{account}: {of_account:?}"
        );
    }
    assert_eq!(events.len(), 200);
}
