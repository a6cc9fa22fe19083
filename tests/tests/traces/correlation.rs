//! The correlation id, with traces off: in answers, orders, logs, events and Kafka's headers.

use crate::traces::fund;
use anyhow::ensure;
use serde_json::json;
use sluice_tests::{TestStage, options};

/// Posts a withdrawal; returns the answer's correlation id and the order's id.
async fn withdraw(
    set: &TestStage,
    key: &str,
    headers: &[(&str, &str)],
) -> anyhow::Result<(String, String)> {
    let url = set.stage.ports.url(set.stage.ports.core);
    let body = json!({ "fromAccountId": "CORRELATED", "toAccountId": "payee", "amount": "1.00",
        "currency": "CNY", "transactionId": key, "channel": "netsunion" });
    let mut request = reqwest::Client::builder()
        .no_proxy()
        .build()?
        .post(format!("{url}/withdraw/submit"))
        .body(body.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await?;
    let named = answer.headers().get("x-correlation-id").cloned();
    let correlation = named.map(|value| value.to_str().unwrap_or_default().to_owned());
    let body: serde_json::Value = serde_json::from_str(&answer.text().await?)?;
    let id = body["data"]["withdrawOrderId"].as_str().unwrap_or_default();
    ensure!(!id.is_empty(), "{body}");
    Ok((correlation.unwrap_or_default(), id.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_followed_from_the_request_to_kafka() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    fund(&set, "CORRELATED", "corr").await?;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let (mine, first) = withdraw(&set, "c1", &[("X-Correlation-Id", "mine.1")]).await?;
    let (of_trace, second) = withdraw(&set, "c2", &[("traceparent", parent)]).await?;
    let (fresh, third) = withdraw(&set, "c3", &[("X-Correlation-Id", "a b; c=d")]).await?;
    ensure!(mine == "mine.1", "{mine}");
    ensure!(of_trace == "4bf92f3577b34da6a3ce929d0e0e4736", "{of_trace}");
    ensure!(fresh.len() == 32 && fresh != of_trace, "{fresh}");
    for (order, correlation) in [(&first, &mine), (&second, &of_trace), (&third, &fresh)] {
        set.stage.wait_for_status(order, "success").await?;
        let shown = set.stage.client.order(order).await?;
        ensure!(shown["correlationId"] == correlation.as_str(), "{shown}");
    }
    // A repeat is the same request, whatever it calls itself: the order keeps the first id.
    let (other, again) = withdraw(&set, "c1", &[("X-Correlation-Id", "mine.2")]).await?;
    ensure!(other == "mine.2" && again == first, "{other} {again}");
    ensure!(set.stage.client.order(&first).await?["correlationId"] == "mine.1");
    is_published(&set, &first, &mine).await?;
    let log = std::fs::read_to_string(set.stage.dir.join("core.log"))?;
    let told = |what: &str| {
        let mut lines = log.lines().filter(|line| line.contains(&first));
        lines.any(|line| line.contains(what) && line.contains("mine.1"))
    };
    ensure!(told("sending") && told("moved"), "the log does not name it");
    set.all_is_well().await
}

/// Every event of the order carries the id, in its body and in Kafka's header, and no
/// traceparent while traces are off.
async fn is_published(set: &TestStage, order: &str, correlation: &str) -> anyhow::Result<()> {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let mut events = set.published_messages()?;
        events.retain(|message| message.event.order_id == order);
        if events.len() >= 2 {
            for message in events {
                let header = message.headers.get("x-correlation-id");
                ensure!(
                    header.map(String::as_str) == Some(correlation),
                    "{message:?}"
                );
                ensure!(!message.headers.contains_key("traceparent"), "{message:?}");
                ensure!(message.event.correlation_id.as_deref() == Some(correlation));
            }
            return Ok(());
        }
        ensure!(std::time::Instant::now() < deadline, "only {events:?}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
