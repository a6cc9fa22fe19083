//! Business events from a real Apache Kafka: it dies and comes back, grows
//! partitions, ends and aborts transactions, and takes old events away.

mod dead_letters;
mod kills;
mod read_back;
mod secured;

use sluice_contract::event::{BUSINESS_TOPICS, ORDER_TOPIC};
use sluice_drill::setup::KafkaBroker;
use sluice_tests::{TestStage, options};
use std::time::Duration;

const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// A stage on a real broker, in the stage's own directory.
async fn up() -> anyhow::Result<(TestStage, KafkaBroker, tempfile::TempDir)> {
    let dir = tempfile::tempdir()?;
    let broker = KafkaBroker::start(dir.path(), None).await?;
    for topic in BUSINESS_TOPICS.iter().chain([&ORDER_TOPIC]) {
        broker.create_topic(topic, 2).await?;
    }
    let set = TestStage::up(sluice_drill::stage::StageOptions {
        brokers: Some(broker.brokers()),
        ..options()
    })
    .await?;
    Ok((set, broker, dir))
}

/// Why the sidecar is blind, if it is.
async fn blind(set: &TestStage) -> anyhow::Result<String> {
    let blind = set.stage.client.sidecar_status().await?["data"]["blind"].clone();
    Ok(
        if blind.as_object().is_some_and(serde_json::Map::is_empty) {
            String::new()
        } else {
            blind.to_string()
        },
    )
}

async fn evaluated(set: &TestStage) -> anyhow::Result<u64> {
    set.stage
        .sidecar_metric("sluice_sidecar_events_total")
        .await
}
