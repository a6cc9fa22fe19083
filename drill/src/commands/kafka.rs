//! `sluice-drill kafka`: a real Apache Kafka with the product's topics, until Ctrl-C.

use crate::setup::KafkaBroker;
use sluice_contract::event::{BUSINESS_TOPICS, ORDER_TOPIC};
use sluice_contract::shutdown::interrupted;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct KafkaArgs {
    /// Folder of its data and log; what was there is used again.
    #[arg(long, default_value = ".run/kafka")]
    dir: PathBuf,
    #[arg(long, default_value_t = 9092)]
    port: u16,
    /// Partitions of each topic, where it doesn't exist yet.
    #[arg(long, default_value_t = 4)]
    partitions: i32,
}

#[allow(clippy::print_stdout)]
pub async fn run(options: KafkaArgs) -> anyhow::Result<()> {
    let interrupted = interrupted()?;
    let mut broker = tokio::select! {
        broker = KafkaBroker::start(&options.dir, Some(options.port)) => broker?,
        () = interrupted.cancelled() => anyhow::bail!("interrupted while starting; it is stopped"),
    };
    for topic in BUSINESS_TOPICS.iter().chain([&ORDER_TOPIC]) {
        broker.create_topic(topic, options.partitions).await?;
    }
    println!("Kafka     {}", broker.brokers());
    println!("topics    {}, {ORDER_TOPIC}", BUSINESS_TOPICS.join(", "));
    println!("data, log {}", options.dir.display());
    println!(
        "\nFor the stage: SLUICE_KAFKA_BROKERS={} make up",
        broker.brokers()
    );
    println!("What to publish: docs/EVENTS.md. Ctrl-C stops it; its data stay.");
    interrupted.cancelled().await;
    println!("stopping");
    broker.stop().await
}
