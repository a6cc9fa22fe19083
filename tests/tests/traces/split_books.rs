//! Money that comes in while the books are on servers of their own: its event carries the
//! request's correlation id and trace, though no order's row keeps them.

use crate::traces::collector::SpanCollector;
use crate::traces::{CALLERS_SPAN, TRACE, traced};
use anyhow::ensure;
use serde_json::json;
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::merchants::MerchantTraffic;
use sluice_tests::{PublishedMessage, TestStage};
use std::time::{Duration, Instant};

/// The first published event of this kind.
async fn published(set: &TestStage, kind: &str) -> anyhow::Result<PublishedMessage> {
    let begun = Instant::now();
    loop {
        let mut all = set.published_messages()?;
        all.retain(|message| message.event.kind == kind);
        if let Some(first) = all.into_iter().next() {
            return Ok(first);
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(30),
            "{kind} was never published"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_on_split_books_keeps_its_id_and_its_trace() -> anyhow::Result<()> {
    let collector = SpanCollector::start().await?;
    let set = TestStage::up(StageOptions {
        split_books: true,
        ..traced(&collector)
    })
    .await?;
    let body = json!({ "accountId": "SPLIT", "amount": "7.00", "bizNo": "traced" });
    let parent = format!("00-{TRACE}-{CALLERS_SPAN}-01");
    let headers = [
        ("x-correlation-id", "split.1"),
        ("traceparent", parent.as_str()),
    ];
    let (status, answer) = set.stage.client.post("/deposit", &body, &headers).await?;
    ensure!(status == 202, "{status} {answer}");
    let told = published(&set, "deposit.booked").await?;
    let header = |name: &str| told.headers.get(name).map(String::as_str);
    ensure!(
        told.event.correlation_id.as_deref() == Some("split.1")
            && header("x-correlation-id") == Some("split.1"),
        "{told:?}"
    );
    ensure!(
        header("traceparent").is_some_and(|parent| parent.contains(TRACE)),
        "{told:?}"
    );

    // A payment that Kafka tells of: an id of its own, from the intake on.
    let payment = MerchantTraffic::new("traced", 1).event(0);
    set.stage.events.send(&payment).await?;
    let told = published(&set, "payment.captured").await?;
    let id = told.event.correlation_id.as_deref().unwrap_or_default();
    ensure!(id.len() == 32, "{told:?}");
    ensure!(told.headers.get("x-correlation-id").map(String::as_str) == Some(id));
    Ok(())
}
