//! Listeners against clients that are slow, many, or too fast, over real sockets.

use super::*;
use axum::routing::{get, post};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest that a test waits for what must happen.
const DEADLINE: Duration = Duration::from_secs(20);
const WHOLE_GET: &str = "GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

async fn served(name: &'static str, settings: ListenerSettings) -> (Supervisor, String) {
    let parts = Supervisor::default();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listener = BoundListener::over(name, tcp, &settings).unwrap();
    let address = listener.address().unwrap().to_string();
    let routes = Router::new()
        .route("/x", get(|| async { "here" }))
        .route("/body", post(|body: String| async move { body }))
        .route(
            "/endless",
            get(|| async {
                let filler =
                    futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0; 65_536]));
                axum::body::Body::from_stream(filler)
            }),
        )
        .route(
            "/hang",
            get(|| async { std::future::pending::<&str>().await }),
        );
    listener.serve(&parts, routes, authorization_key());
    (parts, address)
}

/// Sends `text` and reads until the server closes.
async fn exchange(address: &str, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    rest_of(&mut stream).await
}

async fn rest_of(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset is an end as well.
    let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the server doesn't close");
    String::from_utf8_lossy(&answer).into_owned()
}

fn refused(name: &str, reason: &str) -> u64 {
    let refused = &metrics::METRICS.refused_connections;
    refused.with_label_values(&[name, reason]).get()
}

fn requests_refused(name: &str, reason: &str) -> u64 {
    let refused = &metrics::METRICS.refused_requests;
    refused.with_label_values(&[name, reason]).get()
}

#[tokio::test]
async fn a_head_or_a_body_that_does_not_come_is_cut_off() {
    let settings = ListenerSettings {
        header_timeout_ms: 200,
        request_timeout_ms: 300,
        ..ListenerSettings::default()
    };
    let (_parts, address) = served("slow", settings).await;
    assert!(exchange(&address, WHOLE_GET).await.ends_with("here"));
    // A head that stops, and one that never begins.
    exchange(&address, "GET /x HTTP/1.1\r\nho").await;
    exchange(&address, "").await;
    assert_eq!(requests_refused("slow", "head_timeout"), 2);
    let body = "POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf";
    let answer = exchange(&address, body).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("\"code\":40800"), "{answer}");
    let answer = exchange(&address, &WHOLE_GET.replace("/x", "/hang")).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(requests_refused("slow", "request_timeout"), 2);
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut_off() {
    let settings = ListenerSettings {
        write_timeout_ms: 200,
        ..ListenerSettings::default()
    };
    let (parts, address) = served("unread", settings).await;
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let request = WHOLE_GET.replace("/x", "/endless");
    stream.write_all(request.as_bytes()).await.unwrap();
    let open = metrics::METRICS.connections.with_label_values(&["unread"]);
    let closed = async {
        while open.get() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        while open.get() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, closed).await.unwrap();
    parts.stop(DEADLINE).await.unwrap();
}

#[tokio::test]
async fn a_connection_past_the_bound_is_closed_at_once_and_counted() {
    for (name, max_connections, max_connections_per_address, reason) in
        [("few", 3, 9, "full"), ("mine", 9, 3, "address_full")]
    {
        let settings = ListenerSettings {
            max_connections,
            max_connections_per_address,
            ..ListenerSettings::default()
        };
        let (_parts, address) = served(name, settings).await;
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(TcpStream::connect(&address).await.unwrap());
        }
        assert_eq!(exchange(&address, WHOLE_GET).await, "");
        assert_eq!(refused(name, reason), 1);
        held.pop();
        let again = async {
            // Its permit is given back once the server has seen the end.
            while !exchange(&address, WHOLE_GET).await.ends_with("here") {}
        };
        tokio::time::timeout(DEADLINE, again).await.unwrap();
    }
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let settings = ListenerSettings {
        requests_per_second_per_client: 3,
        requests_per_second_per_address: 6,
        ..ListenerSettings::default()
    };
    let (_parts, address) = served("often", settings).await;
    let as_client = |token: &str| {
        let header = format!("\r\nauthorization: Bearer {token}\r\nconnection");
        let request = WHOLE_GET.replace("\r\nconnection", &header);
        let address = address.clone();
        async move { exchange(&address, &request).await }
    };
    let mut refusals = Vec::new();
    for _ in 0..5 {
        let answer = as_client("one").await;
        if answer.starts_with("HTTP/1.1 429") {
            refusals.push(answer);
        }
    }
    let first = refusals.first().unwrap();
    assert!(
        first.contains("\"code\":42902") && first.contains("retry-after: 1\r\n"),
        "{first}"
    );
    assert!(as_client("two").await.ends_with("here"), "another client");
    // Names made up do not help: the address has its own rate.
    let mut last = String::new();
    for n in 0..20 {
        last = as_client(&format!("made-up-{n}")).await;
        if last.contains("this address") {
            break;
        }
    }
    assert!(last.starts_with("HTTP/1.1 429") && last.contains("this address"));
    assert!(requests_refused("often", "address_rate") > 0);
}

#[tokio::test]
async fn a_stop_lets_open_requests_end_and_closes_idle_connections() {
    let (parts, address) = served("stopping", ListenerSettings::default()).await;
    let mut idle = TcpStream::connect(&address).await.unwrap();
    let keep_alive = WHOLE_GET.replace("connection: close\r\n", "");
    idle.write_all(keep_alive.as_bytes()).await.unwrap();
    let mut start = [0; 15];
    idle.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    let mut open = TcpStream::connect(&address).await.unwrap();
    let head = "POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n";
    open.write_all(head.as_bytes()).await.unwrap();
    // The request has reached its route once the listener counts both.
    let connections = metrics::METRICS
        .connections
        .with_label_values(&["stopping"]);
    while connections.get() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let rest = async {
        rest_of(&mut idle).await;
        open.write_all(b"done").await.unwrap();
        rest_of(&mut open).await
    };
    let (stopped, answer) = tokio::join!(parts.stop(DEADLINE), rest);
    stopped.unwrap();
    assert!(answer.ends_with("done"), "{answer}");
    assert!(TcpStream::connect(&address).await.is_err());
}

#[test]
fn what_a_stranger_shows_is_counted_for_no_client() {
    let key = authorization_key();
    let of = |shown: &'static str| {
        let mut headers = axum::http::HeaderMap::new();
        headers.insert("authorization", shown.parse().unwrap());
        key(&axum::http::Extensions::new(), &headers)
    };
    assert_eq!(of("Bearer one"), of("Bearer one"));
    assert_ne!(of("Bearer one"), of("Bearer two"));
    let (forged, signed) = ("S client=a,signature=00", "S client=a,signature=11");
    assert_ne!(
        of(forged),
        of(signed),
        "by its name alone nobody is a client"
    );
    let settings = ListenerSettings {
        requests_per_second_per_client: 2,
        ..ListenerSettings::default()
    };
    let rates = crate::listener::ClientRates::new("test", &settings);
    let of_a: Vec<bool> = (0..100).map(|_| rates.has_room("a")).collect();
    assert!(of_a[0] && of_a[1] && of_a.contains(&false), "{of_a:?}");
    assert!(rates.has_room("b"), "b has a rate of its own");
}
