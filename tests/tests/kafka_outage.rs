//! Kafka goes away for ten seconds under load: no event is lost, none is made up.

use anyhow::ensure;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::collections::HashMap;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn kafka_down_ten_seconds_loses_no_event() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    let traffic = Traffic::new("outage", 50);
    traffic.fund(&set.stage, 10_000).await?;
    let kafka = set.stage.kafka.as_ref().expect("the stage has Kafka");
    // The upstream's events are told before; its requests go on through the outage.
    let (report, outage) = tokio::join!(
        traffic.open(&set.stage, 80, Duration::from_secs(14)),
        async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            kafka.go_down()?;
            tokio::time::sleep(Duration::from_secs(10)).await;
            kafka.come_up()
        }
    );
    outage?;
    ensure!(report?.succeeded() == 80 * 14, "accepting depends on Kafka");
    set.all_is_well().await?;

    // The outbox drains, and Kafka holds every order's acceptance and end.
    let begun = Instant::now();
    while set.stage.core_metric("sluice_core_outbox_rows").await? > 0
        && begun.elapsed() < Duration::from_secs(60)
    {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut kinds: HashMap<String, HashMap<String, u32>> = HashMap::new();
    for event in set.published()? {
        *kinds
            .entry(event.order_id)
            .or_default()
            .entry(event.kind)
            .or_default() += 1;
    }
    let orders = 80 * 14;
    let of = |kind: &str| kinds.values().filter(|k| k.contains_key(kind)).count();
    ensure!(
        of("withdraw.accepted") == orders,
        "{} of {orders} accepted",
        of("withdraw.accepted")
    );
    ensure!(
        of("withdraw.success") == orders,
        "{} of {orders} succeeded",
        of("withdraw.success")
    );
    Ok(())
}
