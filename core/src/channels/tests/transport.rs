//! Requests that may be sent again and those that may not, over real sockets.

use super::*;
use crate::channels::send_by::TimedBody;
use crate::config;
use crate::ready_queue::ReadyQueue;
use sluice_contract::clock::now_us;
use sluice_contract::keys::KeyRing;
use sluice_contract::tls::ClientTlsSettings;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// Behaviour of a server once it has read the first bytes of a request.
#[derive(Clone)]
enum ServerBehaviour {
    Answers(String),
    Closes,
    /// Closes in the middle of its answer.
    Tears(String),
    Holds,
}

/// Stands in an answer for the code that only its request's nonce completes.
const SIGNATURE: &str = "<signature>";

/// An answer of the channel, well signed, that says `word` in a body of `length`.
fn answer(word: &str, length: usize) -> String {
    let mut body = body("netsunion", word, SERIAL_NO);
    body["message"] = "x".repeat(length).into();
    let (body, now) = (body.to_string(), now_us() / 1_000_000);
    format!(
        "HTTP/1.1 200 OK\r\n{SIGNATURE_HEADER}: {SIGNATURE}\r\n{TIMESTAMP_HEADER}: {now}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The answer with the code of a reply to this request.
fn signed_for(request: &[u8], answer: &str) -> String {
    let request = String::from_utf8_lossy(request);
    let header = |text: &str, name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
            .unwrap_or_default()
    };
    let (nonce, time) = (
        header(&request, NONCE_HEADER),
        header(answer, TIMESTAMP_HEADER),
    );
    let scope = MessageScope {
        nonce: &nonce,
        ..reply_scope("netsunion", request.split(' ').nth(1).unwrap_or_default())
    };
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let time = time.parse().unwrap_or_default();
    answer.replace(
        SIGNATURE,
        &scope.sign(keys().current(), time, body.as_bytes()),
    )
}

/// Serves, and counts the requests that reached it.
fn serve(listener: TcpListener, does: ServerBehaviour) -> Arc<AtomicUsize> {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(one(stream, does.clone(), count.clone()));
        }
    });
    requests
}

async fn one(mut stream: TcpStream, does: ServerBehaviour, count: Arc<AtomicUsize>) {
    let mut buffer = [0; 4_096];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        let reply = |text: &str| signed_for(&buffer[..read], text).into_bytes();
        count.fetch_add(1, Ordering::SeqCst);
        match &does {
            ServerBehaviour::Answers(text) => stream.write_all(&reply(text)).await.unwrap(),
            ServerBehaviour::Closes => return,
            ServerBehaviour::Tears(text) => {
                let whole = reply(text);
                return stream.write_all(&whole[..whole.len() - 9]).await.unwrap();
            }
            ServerBehaviour::Holds => sleep(Duration::from_secs(60)).await,
        }
    }
}

async fn listener() -> (TcpListener, SocketAddr) {
    sluice_contract::telemetry::install_crypto();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub(super) fn client(address: SocketAddr, deadline_ms: u64) -> ChannelClient {
    client_at(format!("http://{address}/"), deadline_ms)
}

fn client_at(url: String, deadline_ms: u64) -> ChannelClient {
    let config = config::ChannelConfig {
        id: "netsunion".into(),
        url,
        zone: "UTC".into(),
        concurrency: 4,
        query_concurrency: 1,
        deadline_ms,
        connect_timeout_ms: None,
        decimals: Default::default(),
        currencies: None,
        send_within_ms: 10_000,
        quiet_ms: 10_000,
        tls: ClientTlsSettings::default(),
        plaintext_beyond_loopback: false,
    };
    ChannelClient::new(&config, KeyRing::fixed(keys()), &ReadyQueue::new(1), None).unwrap()
}

/// A send-by time that these tests don't reach.
fn in_time() -> SendBy {
    SendBy::after(now_us(), Duration::from_secs(60))
}

async fn paid(address: SocketAddr, deadline_ms: u64) -> ChannelAnswer {
    client(address, deadline_ms)
        .pay(&order("1.25", "CNY"), in_time())
        .await
        .answer
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_and_the_request_sent_once() {
    let (first, address) = listener().await;
    drop(first);
    let late = async {
        sleep(Duration::from_millis(30)).await;
        serve(
            TcpListener::bind(address).await.unwrap(),
            ServerBehaviour::Answers(answer("0000", 0)),
        )
    };
    let (answered, requests) = tokio::join!(paid(address, 5_000), late);
    assert_eq!(
        (answered, requests.load(Ordering::SeqCst)),
        (ChannelAnswer::Succeeded, 1)
    );
}

#[tokio::test]
async fn one_that_refuses_for_good_is_unknown_within_the_deadline() {
    let (first, address) = listener().await;
    drop(first);
    let begun = Instant::now();
    assert_eq!(paid(address, 1_000).await, ChannelAnswer::Unknown);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_tls_handshake_that_fails_has_sent_nothing_and_is_tried_again() {
    let (listener, address) = listener().await;
    // Reads the greeting and hangs up: no request can be in it.
    let greetings = serve(listener, ServerBehaviour::Closes);
    let client = client_at(format!("https://{address}"), 5_000);
    assert_eq!(
        client.pay(&order("1.25", "CNY"), in_time()).await.answer,
        ChannelAnswer::Unknown
    );
    assert_eq!(greetings.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn what_may_have_been_read_is_unknown_and_never_sent_again() {
    let long = answer("0000", 70_000);
    let torn = ServerBehaviour::Tears(answer("0000", 0));
    for does in [
        ServerBehaviour::Closes,
        torn,
        ServerBehaviour::Holds,
        ServerBehaviour::Answers(long),
        ServerBehaviour::Answers("HTTP/1.1 200".into()),
    ] {
        let (listener, address) = listener().await;
        let requests = serve(listener, does);
        assert_eq!(paid(address, 400).await, ChannelAnswer::Unknown);
        // Long enough for a second try to arrive.
        sleep(Duration::from_millis(100)).await;
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    }
    // The control: the same body, not too long.
    let (listener, address) = listener().await;
    serve(listener, ServerBehaviour::Answers(answer("0000", 60_000)));
    assert_eq!(paid(address, 5_000).await, ChannelAnswer::Succeeded);
}

#[tokio::test]
async fn nobody_else_is_asked_instead() {
    let (elsewhere, other) = listener().await;
    let (listener, address) = listener().await;
    let asked = serve(elsewhere, ServerBehaviour::Answers(answer("0000", 0)));
    let redirect = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{other}/\r\ncontent-length: 0\r\n\r\n"
    );
    serve(listener, ServerBehaviour::Answers(redirect));
    assert_eq!(paid(address, 2_000).await, ChannelAnswer::Unknown);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn held_payments_leave_queries_their_own_slots() {
    let (listener, address) = listener().await;
    serve(listener, ServerBehaviour::Holds);
    let client = client(address, 300);
    let order = order("1.25", "CNY");
    let slots: Vec<_> = (0..5).map(|_| client.permits.take(&order.at())).collect();
    assert_eq!(
        slots.iter().filter(|slot| slot.is_some()).count(),
        4,
        "as many as are configured"
    );
    // One query holds the only query slot: the next is unknown in time too.
    let begun = Instant::now();
    let (one, two) = tokio::join!(client.query(&order), client.query(&order));
    assert_eq!(
        (one.answer, two.answer),
        (ChannelAnswer::Unknown, ChannelAnswer::Unknown)
    );
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn past_its_send_by_time_no_request_leaves() {
    let (listener, address) = listener().await;
    let requests = serve(listener, ServerBehaviour::Answers(answer("0000", 0)));
    let client = client(address, 2_000);
    let order = order("1.25", "CNY");
    // By the wall clock, which goes on while a host sleeps, and by the other.
    let minute = Duration::from_secs(60);
    let late = SendBy::after(now_us() - 61_000_000, minute);
    assert_eq!(client.pay(&order, late).await.code, "no_answer");
    let late = SendBy::after(now_us() + 60_000_000, Duration::ZERO);
    assert_eq!(client.pay(&order, late).await.code, "no_answer");
    assert_eq!(requests.load(Ordering::SeqCst), 0);
    // The control.
    let paid = client.pay(&order, in_time()).await;
    assert_eq!(
        (paid.answer, requests.load(Ordering::SeqCst)),
        (ChannelAnswer::Succeeded, 1)
    );
}

#[tokio::test]
async fn a_request_whose_time_passed_while_connecting_leaves_no_byte() {
    let (listener, address) = listener().await;
    let requests = serve(listener, ServerBehaviour::Answers(answer("0000", 0)));
    // The check before connecting is left out: the body's own is what is tried here.
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let sent = async |send_by| {
        let body = reqwest::Body::wrap(TimedBody::new(b"{}".to_vec(), send_by));
        let request = http.post(format!("http://{address}/pay")).body(body);
        request.send().await.is_ok()
    };
    assert!(!sent(SendBy::after(now_us(), Duration::ZERO)).await);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(requests.load(Ordering::SeqCst), 0, "bytes were written");
    assert!(sent(in_time()).await && requests.load(Ordering::SeqCst) == 1);
}
