//! Clients that are slow, many or hasty hold up neither channels nor operators.

use crate::listeners::WAIT_TIMEOUT;
use anyhow::{Context, ensure};
use serde_json::json;
use sluice_contract::clock::now_us;
use sluice_contract::keys::SigningKeys;
use sluice_contract::signing::{
    MessageDirection, MessageScope, NONCE_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, new_nonce,
};
use sluice_drill::load::http;
use sluice_tests::{TestStage, options, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SLOW_CLIENTS: usize = 1_000;

/// A core without sidecar and dispatch, with these settings of its public listener.
async fn core(listener: &str) -> anyhow::Result<TestStage> {
    let mut options = options();
    options.fence = false;
    options.dispatch = false;
    options.core_extra += &format!("\nlistener = {{ {listener} }}");
    let mut set = TestStage::prepare(options).await?;
    set.stage.start_core().await?;
    Ok(set)
}

fn public(set: &TestStage) -> String {
    set.stage.ports.address(set.stage.ports.core)
}

/// Sends `text` and reads until the core closes.
async fn exchange(address: &str, text: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(text.as_bytes()).await?;
    let mut answer = Vec::new();
    // A reset is an end as well.
    let read = tokio::time::timeout(WAIT_TIMEOUT, stream.read_to_end(&mut answer)).await;
    let _ = read.context("the core doesn't close")?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A notification that a channel has signed, of a trade that nobody knows.
async fn notify(set: &TestStage) -> anyhow::Result<u16> {
    let body = json!({ "serialNo": "0".repeat(32), "code": "00S" });
    let secrets = set.stage.dir.join("secrets");
    let keys = SigningKeys::load("channel_unionpay", Some(&secrets))?;
    let now = now_us() / 1_000_000;
    let (path, nonce) = ("/withdraw/notify/unionpay", new_nonce());
    let scope = MessageScope {
        direction: MessageDirection::Callback,
        channel: "unionpay",
        path,
        nonce: &nonce,
    };
    let signature = scope.sign(keys.current(), now, body.to_string().as_bytes());
    let now = now.to_string();
    let headers = [
        (SIGNATURE_HEADER, signature.as_str()),
        (TIMESTAMP_HEADER, now.as_str()),
        (NONCE_HEADER, nonce.as_str()),
    ];
    Ok(set.stage.client.post(path, &body, &headers).await?.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_is_answered_while_a_thousand_slow_clients_hang() -> anyhow::Result<()> {
    let set = core(&format!(
        "max_connections = {SLOW_CLIENTS}, max_connections_per_address = {SLOW_CLIENTS}, header_timeout_ms = 120000"
    ))
    .await?;
    let address = public(&set);
    let mut slow = Vec::new();
    for _ in 0..SLOW_CLIENTS {
        let mut stream = TcpStream::connect(&address).await?;
        stream.write_all(b"POST /withdraw HTTP/1.1\r\nho").await?;
        slow.push(stream);
    }
    let held = "sluice_listener_connections{listener=\"public\"}";
    until("all are held", async || {
        Ok(set.stage.core_metric(held).await? == SLOW_CLIENTS as u64)
    })
    .await?;
    ensure!(
        exchange(&address, "GET /x HTTP/1.1\r\n\r\n")
            .await?
            .is_empty(),
        "one more is closed before anything is read"
    );
    let refused = set
        .stage
        .core_metric(
            "sluice_listener_refused_connections_total{listener=\"public\",reason=\"full\"}",
        )
        .await?;
    ensure!(refused > 0, "the closed connection is not counted");
    // The channel's word goes through its signature and the database.
    ensure!(notify(&set).await? == 404, "an unknown trade");
    let admin = set.stage.ports.address(set.stage.ports.core_admin);
    ensure!(http::get(&admin, "/ready").await?.0 == 200);
    drop(slow);
    until("the public listener serves again", async || {
        let asked = "GET /accounts/A HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        Ok(exchange(&address, asked).await?.starts_with("HTTP/1.1 404"))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_hasty_clients_are_refused_in_our_form() -> anyhow::Result<()> {
    let set = core(
        "header_timeout_ms = 500, request_timeout_ms = 500, requests_per_second_per_client = 5",
    )
    .await?;
    let address = public(&set);
    let slow_head = exchange(&address, "POST /deposit HTTP/1.1\r\nho").await?;
    ensure!(slow_head.is_empty(), "{slow_head}");
    let head = "POST /deposit HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{\"acc";
    let slow_body = exchange(&address, head).await?;
    ensure!(
        slow_body.starts_with("HTTP/1.1 408") && slow_body.contains("\"code\":40800"),
        "{slow_body}"
    );
    let hasty = "GET /accounts/A HTTP/1.1\r\nhost: x\r\nauthorization: Bearer hasty\r\nconnection: close\r\n\r\n";
    let asked = (0..64).map(|_| exchange(&address, hasty));
    let answers = futures_util::future::try_join_all(asked).await?;
    let refused = answers.iter().find(|a| a.starts_with("HTTP/1.1 429"));
    let refused = refused.context("64 requests at once pass a rate of 5")?;
    ensure!(
        refused.contains("retry-after: 1\r\n") && refused.contains("\"code\":42902"),
        "{refused}"
    );
    let other = hasty.replace("hasty", "patient");
    let other = exchange(&address, &other).await?;
    ensure!(other.starts_with("HTTP/1.1 404"), "{other}");
    // What was refused is closed, and nothing else is open.
    let held = "sluice_listener_connections{listener=\"public\"}";
    until("all are closed", async || {
        Ok(set.stage.core_metric(held).await? == 0)
    })
    .await?;
    let public_notify = "POST /withdraw/notify/psp HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let answer = exchange(&address, public_notify).await?;
    ensure!(
        answer.starts_with("HTTP/1.1 404"),
        "callbacks have a listener of their own: {answer}"
    );
    Ok(())
}
