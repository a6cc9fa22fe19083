//! Headers by which a call can be followed, read off a real socket.

use super::*;
use sluice_contract::traces::{TraceParent, TraceSettings};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Headers of the call that a server gets for the order; then it hangs up.
async fn headers_of_call(order: Order) -> Vec<(String, String)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = transport::client(listener.local_addr().unwrap(), 5_000);
    let read = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut text = Vec::new();
        while !text.windows(4).any(|end| end == b"\r\n\r\n") {
            let mut buffer = [0; 4_096];
            let read = stream.read(&mut buffer).await.unwrap();
            text.extend_from_slice(&buffer[..read]);
        }
        String::from_utf8_lossy(&text).into_owned()
    };
    let (_, text) = tokio::join!(client.query(&order), read);
    let lines = text.lines().filter_map(|line| line.split_once(": "));
    lines
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn value<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    let found = headers.iter().find(|(n, _)| n == name);
    found.map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn a_call_names_its_request_and_goes_on_in_its_trace() {
    sluice_contract::telemetry::install_crypto();
    // Nobody listens there: spans are made, and lost.
    let settings = TraceSettings {
        endpoint: "http://127.0.0.1:9/v1/traces".into(),
        sample_ratio: 0.0,
    };
    let start = move || sluice_contract::traces::start(&settings, "test", "test").unwrap();
    let _export = std::thread::spawn(start).join().unwrap();
    let followed = Order {
        correlation_id: Some("request-7".into()),
        traceparent: Some(PARENT.into()),
        ..order("1.25", "CNY")
    };
    let headers = headers_of_call(followed).await;
    assert_eq!(value(&headers, "x-correlation-id"), Some("request-7"));
    let parent = TraceParent::parse(value(&headers, "traceparent").unwrap()).unwrap();
    assert_eq!(parent.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_ne!(
        parent.to_string(),
        PARENT,
        "the call's own span is the parent"
    );

    let untraced = Order {
        correlation_id: Some("request-8".into()),
        ..order("1.25", "CNY")
    };
    let headers = headers_of_call(untraced).await;
    assert_eq!(value(&headers, "x-correlation-id"), Some("request-8"));
    assert_eq!(value(&headers, "traceparent"), None);
}
