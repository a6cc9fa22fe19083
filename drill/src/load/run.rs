//! Closed load (as fast as the connections go) and open load (at a rate, whatever
//! the server does). Open load measures from the instant at which a request was
//! due, so that a stalled server can't hide the requests it kept waiting.

use super::http::Connection;
use super::report::Report;
use anyhow::{Context, ensure};
use std::io::{Error, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long to wait before connecting again.
const RECONNECT: Duration = Duration::from_millis(20);
/// Shortest sleep of the pacer: requests due within it leave together. Waking for
/// each one cost more of the shared cores than the server did.
const TICK: Duration = Duration::from_micros(250);

/// Writes request number `n` into the empty buffer.
pub trait Make: Fn(u64, &mut Vec<u8>) + Send + Sync + 'static {}
impl<F: Fn(u64, &mut Vec<u8>) + Send + Sync + 'static> Make for F {}

/// Sees the answer to request number `n`: status and body.
pub trait Hear: Fn(u64, u16, &[u8]) + Send + Sync + 'static {}
impl<F: Fn(u64, u16, &[u8]) + Send + Sync + 'static> Hear for F {}

#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// So many requests in all.
    Count(u64),
    /// No request starts after this.
    Elapsed(Duration),
}

#[derive(Debug, Clone)]
pub struct Closed {
    /// `127.0.0.1:7100`.
    pub address: String,
    pub connections: usize,
    pub until: Until,
    /// An answer later than this counts as none.
    pub deadline: Duration,
}

#[derive(Debug, Clone)]
pub struct Open {
    pub address: String,
    /// Requests per second.
    pub rate: u64,
    pub duration: Duration,
    /// Requests that can be under way at a time; more are due late, and measured so.
    pub connections: usize,
    pub deadline: Duration,
}

/// Every connection sends its next request when the last one is answered.
pub async fn closed(load: Closed, make: impl Make, hear: impl Hear) -> anyhow::Result<Report> {
    ensure!(
        load.connections > 0,
        "closed load needs at least one connection"
    );
    let start = Instant::now();
    let (count, end) = match load.until {
        Until::Count(count) => (count, None),
        Until::Elapsed(duration) => (u64::MAX, Some(start + duration)),
    };
    let shared = Shared::new(make, hear);
    let mut tasks = JoinSet::new();
    for _ in 0..load.connections {
        let mut client = Client::new(&load.address, load.deadline);
        let (shared, mut report) = (shared.clone(), Report::new()?);
        tasks.spawn(async move {
            while end.is_none_or(|end| Instant::now() < end) {
                let number = shared.next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    break;
                }
                client
                    .send(number, Instant::now(), &shared, &mut report)
                    .await;
            }
            report
        });
    }
    gather(tasks, start).await
}

/// Request `n` is due at `n / rate` seconds, whether or not earlier ones are
/// answered.
pub async fn open(load: Open, make: impl Make, hear: impl Hear) -> anyhow::Result<Report> {
    ensure!(
        load.rate > 0 && load.connections > 0,
        "open load needs a rate and at least one connection"
    );
    let count = u64::try_from(u128::from(load.rate) * load.duration.as_micros() / 1_000_000)?;
    let shared = Shared::new(make, hear);
    let due = Arc::new(Semaphore::new(0));
    let mut clients = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        let mut client = Client::new(&load.address, load.deadline);
        // Before the clock starts. One that fails is tried again by `send`.
        let _ = client.connect().await;
        clients.push(client);
    }
    let start = Instant::now();
    pace(start, count, &load, Arc::downgrade(&due)).context("can't start the pacer")?;
    let mut tasks = JoinSet::new();
    for mut client in clients {
        let (shared, due, mut report) = (shared.clone(), due.clone(), Report::new()?);
        tasks.spawn(async move {
            while let Ok(permit) = due.acquire().await {
                permit.forget();
                let number = shared.next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    break;
                }
                let scheduled = start + offset(number, load.rate);
                report.send_lag.saturating_record(micros(scheduled));
                client.send(number, scheduled, &shared, &mut report).await;
            }
            report
        });
    }
    gather(tasks, start).await
}

/// Gives a permit per due request, then one more per connection to end it. It has
/// a thread of its own because the runtime's timer is only exact to a millisecond;
/// the thread ends early if nobody takes permits any more.
fn pace(start: Instant, count: u64, load: &Open, due: Weak<Semaphore>) -> std::io::Result<()> {
    let (rate, connections) = (load.rate, load.connections);
    let work = move || {
        let mut given = 0;
        while given < count {
            // Request 0 is due at once, hence the one.
            let passed = start.elapsed().as_micros() * u128::from(rate) / 1_000_000 + 1;
            let ripe = u64::try_from(passed).unwrap_or(u64::MAX).min(count);
            let Some(due) = due.upgrade() else { return };
            due.add_permits(usize::try_from(ripe.saturating_sub(given)).unwrap_or(0));
            given = given.max(ripe);
            drop(due);
            let next = start + offset(given, rate);
            std::thread::sleep(next.saturating_duration_since(Instant::now()).max(TICK));
        }
        if let Some(due) = due.upgrade() {
            due.add_permits(connections);
        }
    };
    std::thread::Builder::new()
        .name("pacer".into())
        .spawn(work)
        .map(|_| ())
}

fn offset(number: u64, rate: u64) -> Duration {
    let nanos = u128::from(number) * 1_000_000_000 / u128::from(rate);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

async fn gather(mut tasks: JoinSet<Report>, start: Instant) -> anyhow::Result<Report> {
    let mut whole = Report::new()?;
    while let Some(report) = tasks.join_next().await {
        whole.merge(&report.context("a load task failed")?)?;
    }
    whole.elapsed = start.elapsed();
    Ok(whole)
}

struct Shared<M, H> {
    next: AtomicU64,
    make: M,
    hear: H,
}

impl<M: Make, H: Hear> Shared<M, H> {
    fn new(make: M, hear: H) -> Arc<Self> {
        Arc::new(Shared {
            next: AtomicU64::new(0),
            make,
            hear,
        })
    }
}

/// A connection that is made anew when it breaks.
struct Client {
    address: String,
    deadline: Duration,
    connection: Option<Connection>,
    request: Vec<u8>,
}

impl Client {
    fn new(address: &str, deadline: Duration) -> Self {
        Client {
            address: address.into(),
            deadline,
            connection: None,
            request: Vec::with_capacity(1024),
        }
    }

    async fn connect(&mut self) -> std::io::Result<()> {
        if self.connection.as_ref().is_none_or(Connection::is_spent) {
            self.connection = None;
            self.connection = Some(Connection::open(&self.address).await?);
        }
        Ok(())
    }

    async fn send<M: Make, H: Hear>(
        &mut self,
        number: u64,
        since: Instant,
        shared: &Shared<M, H>,
        report: &mut Report,
    ) {
        self.request.clear();
        (shared.make)(number, &mut self.request);
        let late = || {
            Err(Error::new(
                ErrorKind::TimedOut,
                "no answer before the deadline",
            ))
        };
        let outcome = timeout(self.deadline, self.exchange(number, since, shared, report)).await;
        if let Err(error) = outcome.unwrap_or_else(|_| late()) {
            // The answer to this request must not be taken for the next one's.
            self.connection = None;
            report.count_unanswered(&error);
            sleep(RECONNECT).await;
        }
    }

    async fn exchange<M: Make, H: Hear>(
        &mut self,
        number: u64,
        since: Instant,
        shared: &Shared<M, H>,
        report: &mut Report,
    ) -> std::io::Result<()> {
        self.connect().await?;
        let Some(connection) = &mut self.connection else {
            return Err(ErrorKind::NotConnected.into());
        };
        let (status, body) = connection.exchange(&self.request).await?;
        report.count(status, micros(since));
        (shared.hear)(number, status, body);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::request::Target;
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
        tokio::spawn(
            async move { axum::serve(listener, Router::new().route("/e", post(echo))).await },
        );
        address
    }

    #[tokio::test]
    async fn every_answer_belongs_to_its_request() {
        let address = server(Duration::ZERO).await;
        let target = Target::new(&address);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (load, sink) = (
            Closed {
                address,
                connections: 8,
                until: Until::Count(500),
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
        let target = Target::new(&address);
        let load = Open {
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
        let target = Target::new(&address);
        let load = Open {
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
        let load = Closed {
            address: "127.0.0.1:1".into(),
            connections: 2,
            until: Until::Count(4),
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
        let target = Target::new(&address);
        let load = Closed {
            address,
            connections: 1,
            until: Until::Count(3),
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
}
