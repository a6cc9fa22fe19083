//! Closed load (as fast as the connections go) and open load (at a rate, whatever
//! the server does). Open load measures from the instant at which a request was
//! due, so that a stalled server can't hide the requests it kept waiting.

use crate::load::http::HttpConnection;
use crate::load::report::LoadReport;
use anyhow::{Context, ensure};
use std::io::{Error, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Pause before connecting again.
const RECONNECT_DELAY: Duration = Duration::from_millis(20);
/// Shortest sleep of the pacer: requests due within it leave together. Waking for
/// each one cost more of the shared cores than the server did.
const MIN_PACER_SLEEP: Duration = Duration::from_micros(250);

/// Writes request number `n` into the empty buffer.
pub trait RequestMaker: Fn(u64, &mut Vec<u8>) + Send + Sync + 'static {}
impl<F: Fn(u64, &mut Vec<u8>) + Send + Sync + 'static> RequestMaker for F {}

/// Sees the answer to request number `n`: status and body.
pub trait AnswerHandler: Fn(u64, u16, &[u8]) + Send + Sync + 'static {}
impl<F: Fn(u64, u16, &[u8]) + Send + Sync + 'static> AnswerHandler for F {}

#[derive(Debug, Clone, Copy)]
pub enum LoadEnd {
    /// After this many requests in all.
    Count(u64),
    /// No request starts after this.
    Elapsed(Duration),
}

#[derive(Debug, Clone)]
pub struct ClosedLoad {
    /// `127.0.0.1:7100`.
    pub address: String,
    pub connections: usize,
    pub until: LoadEnd,
    /// An answer later than this counts as none.
    pub deadline: Duration,
}

#[derive(Debug, Clone)]
pub struct OpenLoad {
    pub address: String,
    /// Requests per second.
    pub rate: u64,
    pub duration: Duration,
    /// Requests that can be under way at a time; more are due late, and measured so.
    pub connections: usize,
    pub deadline: Duration,
}

/// Every connection sends its next request when the last one is answered.
pub async fn closed(
    load: ClosedLoad,
    make: impl RequestMaker,
    hear: impl AnswerHandler,
) -> anyhow::Result<LoadReport> {
    ensure!(
        load.connections > 0,
        "closed load needs at least one connection"
    );
    let start = Instant::now();
    let (count, end) = match load.until {
        LoadEnd::Count(count) => (count, None),
        LoadEnd::Elapsed(duration) => (u64::MAX, Some(start + duration)),
    };
    let shared = LoadRun::new(make, hear);
    let mut tasks = JoinSet::new();
    for _ in 0..load.connections {
        let mut client = LoadClient::new(&load.address, load.deadline);
        let (shared, mut report) = (shared.clone(), LoadReport::new()?);
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
    merge_reports(tasks, start).await
}

/// Request `n` is due at `n / rate` seconds, whether or not earlier ones are
/// answered.
pub async fn open(
    load: OpenLoad,
    make: impl RequestMaker,
    hear: impl AnswerHandler,
) -> anyhow::Result<LoadReport> {
    ensure!(
        load.rate > 0 && load.connections > 0,
        "open load needs a rate and at least one connection"
    );
    let count = u64::try_from(u128::from(load.rate) * load.duration.as_micros() / 1_000_000)?;
    let shared = LoadRun::new(make, hear);
    let due = Arc::new(Semaphore::new(0));
    let mut clients = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        let mut client = LoadClient::new(&load.address, load.deadline);
        // Before the clock starts. One that fails is tried again by `send`.
        let _ = client.connect().await;
        clients.push(client);
    }
    let start = Instant::now();
    pace(start, count, &load, Arc::downgrade(&due)).context("can't start the pacer")?;
    let mut tasks = JoinSet::new();
    for mut client in clients {
        let (shared, due, mut report) = (shared.clone(), due.clone(), LoadReport::new()?);
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
    merge_reports(tasks, start).await
}

/// Gives a permit per due request, then one more per connection to end it. It has
/// a thread of its own because the runtime's timer is only exact to a millisecond;
/// the thread ends early if nobody takes permits any more.
fn pace(start: Instant, count: u64, load: &OpenLoad, due: Weak<Semaphore>) -> std::io::Result<()> {
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
            std::thread::sleep(
                next.saturating_duration_since(Instant::now())
                    .max(MIN_PACER_SLEEP),
            );
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

async fn merge_reports(
    mut tasks: JoinSet<LoadReport>,
    start: Instant,
) -> anyhow::Result<LoadReport> {
    let mut whole = LoadReport::new()?;
    while let Some(report) = tasks.join_next().await {
        whole.merge(&report.context("a load task failed")?)?;
    }
    whole.elapsed = start.elapsed();
    Ok(whole)
}

struct LoadRun<M, H> {
    next: AtomicU64,
    make: M,
    hear: H,
}

impl<M: RequestMaker, H: AnswerHandler> LoadRun<M, H> {
    fn new(make: M, hear: H) -> Arc<Self> {
        Arc::new(LoadRun {
            next: AtomicU64::new(0),
            make,
            hear,
        })
    }
}

/// A connection that is made anew when it breaks.
struct LoadClient {
    address: String,
    deadline: Duration,
    connection: Option<HttpConnection>,
    request: Vec<u8>,
}

impl LoadClient {
    fn new(address: &str, deadline: Duration) -> Self {
        LoadClient {
            address: address.into(),
            deadline,
            connection: None,
            request: Vec::with_capacity(1024),
        }
    }

    async fn connect(&mut self) -> std::io::Result<()> {
        if self
            .connection
            .as_ref()
            .is_none_or(HttpConnection::is_spent)
        {
            self.connection = None;
            self.connection = Some(HttpConnection::open(&self.address).await?);
        }
        Ok(())
    }

    async fn send<M: RequestMaker, H: AnswerHandler>(
        &mut self,
        number: u64,
        since: Instant,
        shared: &LoadRun<M, H>,
        report: &mut LoadReport,
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
            sleep(RECONNECT_DELAY).await;
        }
    }

    async fn exchange<M: RequestMaker, H: AnswerHandler>(
        &mut self,
        number: u64,
        since: Instant,
        shared: &LoadRun<M, H>,
        report: &mut LoadReport,
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
#[path = "generator_tests.rs"]
mod tests;
