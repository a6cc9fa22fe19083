use super::*;
use crate::load::request::LoadTarget;
use axum::Router;
use axum::routing::post;
use std::sync::Mutex;

/// Echoes the body after `delay`; a body of "no" gets 503.
async fn server(delay: Duration) -> String {
    let echo = move |body: String| async move {
        sleep(delay).await;
        let status = if body == "no" { 503u16 } else { 202 };
        (axum::http::StatusCode::from_u16(status).unwrap(), body)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/e", post(echo))).await });
    address
}

#[tokio::test]
async fn every_answer_belongs_to_its_request() {
    let address = server(Duration::ZERO).await;
    let target = LoadTarget::new(&address);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (load, sink) = (
        ClosedLoad {
            address,
            connections: 8,
            until: LoadEnd::Count(500),
            deadline: Duration::from_secs(5),
        },
        heard.clone(),
    );
    let make = move |n: u64, out: &mut Vec<u8>| {
        let body = if n == 7 {
            "no".to_owned()
        } else {
            n.to_string()
        };
        target.post(out, "/e", None, &body);
    };
    let hear = move |n: u64, status: u16, body: &[u8]| {
        sink.lock()
            .unwrap()
            .push((n, status, String::from_utf8(body.to_vec()).unwrap()));
    };
    let report = closed(load, make, hear).await.unwrap();
    assert_eq!(
        (report.answered(), report.succeeded(), report.unanswered),
        (500, 499, 0),
        "{report}"
    );
    let mut heard = heard.lock().unwrap();
    heard.sort();
    for (at, (n, status, body)) in heard.iter().enumerate() {
        assert_eq!(*n, at as u64);
        assert!(
            body == &n.to_string() || (*n == 7 && *status == 503),
            "{n} {body}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_load_counts_the_wait_for_a_connection() {
    let address = server(Duration::from_millis(50)).await;
    let target = LoadTarget::new(&address);
    let load = OpenLoad {
        address,
        rate: 100,
        duration: Duration::from_secs(1),
        connections: 2,
        deadline: Duration::from_secs(5),
    };
    // Two connections can answer 40 a second at most; 100 are due.
    let report = open(
        load,
        move |_, out| target.post(out, "/e", None, "x"),
        |_, _, _| {},
    )
    .await
    .unwrap();
    assert_eq!(report.succeeded(), 100, "{report}");
    assert!(report.latency_us(0.99) > 1_000_000, "{report}");
    assert!(report.send_lag.max() > 1_000_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_load_keeps_its_rate() {
    let address = server(Duration::ZERO).await;
    let target = LoadTarget::new(&address);
    let load = OpenLoad {
        address,
        rate: 500,
        duration: Duration::from_secs(2),
        connections: 16,
        deadline: Duration::from_secs(5),
    };
    let report = open(
        load,
        move |_, out| target.post(out, "/e", None, "x"),
        |_, _, _| {},
    )
    .await
    .unwrap();
    assert_eq!(report.answered(), 1_000);
    assert!(
        report.elapsed < Duration::from_secs(4),
        "{:?}",
        report.elapsed
    );
    assert!(report.send_lag.value_at_quantile(0.5) < 20_000, "{report}");
}

#[tokio::test]
async fn nobody_listening_is_unanswered_and_not_a_panic() {
    let load = ClosedLoad {
        address: "127.0.0.1:1".into(),
        connections: 2,
        until: LoadEnd::Count(4),
        deadline: Duration::from_secs(1),
    };
    let report = closed(load, |_, out| out.push(b'x'), |_, _, _| {})
        .await
        .unwrap();
    assert_eq!((report.answered(), report.unanswered), (0, 4));
    assert!(report.first_error.is_some());
}

#[tokio::test]
async fn a_late_answer_is_not_taken_for_the_next_one() {
    let address = server(Duration::from_millis(200)).await;
    let target = LoadTarget::new(&address);
    let load = ClosedLoad {
        address,
        connections: 1,
        until: LoadEnd::Count(3),
        deadline: Duration::from_millis(50),
    };
    let report = closed(
        load,
        move |_, out| target.post(out, "/e", None, "x"),
        |_, _, _| {},
    )
    .await
    .unwrap();
    assert_eq!((report.answered(), report.unanswered), (0, 3), "{report}");
}
