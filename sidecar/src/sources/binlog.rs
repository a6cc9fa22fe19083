//! The binlog reader: a thread of its own, so that decoding at full speed starves
//! nobody. It hands over whole transactions and never passes what it can't read.

use super::group::{Grouper, Step};
use super::gtid::{Flavour, GtidSet};
use super::hosts::{Found, Hosts};
use super::watch::Watch;
use super::{BinlogBatch, Start, preflight};
use crate::blind::{Blind, Cause};
use crate::heard::Heard;
use crate::pipeline::Feed;
use crossbeam_channel::{SendTimeoutError, Sender};
use futures_util::{FutureExt, StreamExt};
use mysql_async::{BinlogStream, Error, ServerError};
use sluice_contract::schema::Schemas;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Changes per hand-over: long enough to amortise the queue, short enough that
/// the evaluator starts at once.
const BATCH_CHANGES: usize = 1024;
/// Transactions per hand-over, for the same reason.
const BATCH_TRANSACTIONS: usize = 256;
/// The server beats every second; after this much silence it is gone.
const SILENCE: Duration = Duration::from_secs(5);
/// How long connecting may take before it counts as a failure.
const CONNECT: Duration = Duration::from_secs(2);
/// Reconnect at once, then more slowly.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Without a connection for this long the sidecar is blind.
const BLIND_AFTER: Duration = Duration::from_secs(1);
/// How often an unreadable event or a lost position is tried again.
const MENDED: Duration = Duration::from_secs(5);
/// A position that the server does not have any more, or never had.
const POSITION_LOST: u16 = 1236;

pub struct Settings {
    pub url: String,
    pub server_id: u32,
    pub schemas: Schemas,
    pub flavour: Flavour,
    pub position: String,
    pub start: Start,
}

/// Why reading stopped.
enum Stop {
    Cancelled,
    /// The connection: reconnect from what was handed over.
    Broken(String),
    /// What was read: blind until somebody mends it.
    Unreadable(String),
    /// Another host took over: this reign ends, the next begins at its checkpoint.
    Moved,
    /// The server has not got what comes next.
    Lost(String),
}

pub struct Reader {
    settings: Settings,
    hosts: Arc<Hosts>,
    /// Which of several servers this is.
    server: usize,
    heard: Heard,
    /// Cancelled when another host took over.
    moved: CancellationToken,
    grouper: Grouper,
    batch: BinlogBatch,
    transactions: usize,
    feed: Sender<Feed>,
    blind: Blind,
    cancel: CancellationToken,
    /// From the oldest file, until something was handed over.
    start: Start,
    down_since: Option<Instant>,
    /// Told when the position is lost; it goes on trying all the same.
    lost: Option<mpsc::Sender<()>>,
}

impl Reader {
    pub fn new(
        settings: Settings,
        feed: Sender<Feed>,
        blind: Blind,
        cancel: CancellationToken,
    ) -> anyhow::Result<Self> {
        let hosts = Arc::new(Hosts::new("url", &settings.url, 1)?);
        let position = GtidSet::parse(settings.flavour, &settings.position)?;
        let grouper = Grouper::new(Watch::new(&settings.schemas), settings.flavour, position);
        let start = settings.start;
        let down_since = Some(Instant::now());
        Ok(Reader {
            settings,
            hosts,
            server: 0,
            heard: Heard::default(),
            moved: CancellationToken::new(),
            grouper,
            batch: BinlogBatch::default(),
            transactions: 0,
            feed,
            blind,
            cancel,
            start,
            down_since,
            lost: None,
        })
    }

    /// Follows these hosts; `moved` is cancelled when another one took over, and the
    /// reader ends.
    pub fn over(mut self, hosts: Arc<Hosts>, heard: Heard, moved: CancellationToken) -> Self {
        (self.hosts, self.heard, self.moved) = (hosts, heard, moved);
        self
    }

    /// Number `server` of several: only what `watch` says is here.
    pub fn of_server(mut self, server: usize, name: &str, watch: Watch) -> Self {
        self.server = server;
        self.grouper.of_server(name, watch);
        self
    }

    /// Whom to tell that the position is lost.
    pub fn telling(mut self, lost: mpsc::Sender<()>) -> Self {
        self.lost = Some(lost);
        self
    }

    /// Reads until cancelled. Runs on its own thread and runtime.
    pub fn run(mut self) -> anyhow::Result<()> {
        let hosts = Arc::clone(&self.hosts);
        let _followed = hosts.follow();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.read_for_ever());
        Ok(())
    }

    async fn read_for_ever(&mut self) {
        let mut pause = BACKOFF.0;
        loop {
            self.grouper.restart(self.start == Start::Oldest);
            let mut stop = self.read_once().await;
            let healthy = self.down_since.is_none();
            self.down_since.get_or_insert_with(Instant::now);
            if let Stop::Broken(reason) = stop {
                stop = self.look_elsewhere(reason).await;
            }
            let wait = match stop {
                Stop::Cancelled => return,
                Stop::Moved => return self.moved.cancel(),
                Stop::Unreadable(reason) => {
                    self.blind.set(Cause::Binlog, reason);
                    MENDED
                }
                Stop::Lost(reason) => {
                    self.blind.set(Cause::Binlog, reason);
                    // Full: it was told already.
                    let _ = self.lost.as_ref().map(|lost| lost.try_send(()));
                    MENDED
                }
                Stop::Broken(reason) => {
                    pause = if healthy {
                        BACKOFF.0
                    } else {
                        (pause * 2).min(BACKOFF.1)
                    };
                    tracing::warn!(
                        reason,
                        position = self.grouper.position().render(),
                        "the binlog connection broke; reconnecting"
                    );
                    self.blind_if_long(&reason);
                    pause
                }
            };
            tokio::select! {
                () = self.cancel.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// The connection broke: if there are other hosts, one of them may have taken over.
    async fn look_elsewhere(&self, reason: String) -> Stop {
        if !self.hosts.several() {
            return Stop::Broken(reason);
        }
        let relied = match self.grouper.relied() {
            Ok(relied) => relied,
            Err(error) => return Stop::Broken(format!("{reason}; {error:#}")),
        };
        match self
            .hosts
            .find(self.settings.server_id, self.settings.flavour, &relied)
            .await
        {
            Found::Same => Stop::Broken(reason),
            Found::Moved => Stop::Moved,
            Found::Nowhere(refusals) => {
                Stop::Broken(format!("{reason}; no host can go on: {refusals}"))
            }
        }
    }

    fn blind_if_long(&self, reason: &str) {
        if self
            .down_since
            .is_some_and(|since| since.elapsed() >= BLIND_AFTER)
        {
            self.blind.set(Cause::Binlog, reason);
        }
    }

    async fn read_once(&mut self) -> Stop {
        let mut stream = match tokio::time::timeout(CONNECT, self.open()).await {
            Ok(Ok(Some(stream))) => stream,
            Ok(Ok(None)) => return self.lost_something(),
            Ok(Err(error)) => {
                return classify(error.downcast::<Error>().map_err(|e| format!("{e:#}")));
            }
            Err(_) => return Stop::Broken("connecting took more than 2 s".to_owned()),
        };
        let stop = self.follow(&mut stream).await;
        // What is complete goes out whatever came after it, so that nothing is read twice.
        match self.flush().await {
            Ok(()) => stop,
            Err(cancelled) => cancelled,
        }
    }

    /// Goes on where it stopped; `None` if the server lacks something that was read and
    /// matters: a proxy's or restored MySQL, which would not say so by itself.
    async fn open(&mut self) -> anyhow::Result<Option<BinlogStream>> {
        let (url, flavour) = (self.hosts.url(), self.settings.flavour);
        if flavour == Flavour::MySql && self.start == Start::Now {
            let mut conn = sluice_contract::sql::connect(url).await?;
            let relied = self.grouper.relied()?;
            if !preflight::has_all(&mut conn, flavour, &relied).await? {
                return Ok(None);
            }
            if !preflight::has_all(&mut conn, flavour, self.grouper.position()).await? {
                // A heartbeat or token died with its server. Kept in our position it would
                // look later as if something that matters was lost.
                self.grouper.go_back(relied);
            }
            conn.disconnect().await?;
        }
        let position = self.grouper.position();
        preflight::open(url, self.settings.server_id, flavour, position, self.start)
            .await
            .map(Some)
    }

    fn lost_something(&self) -> Stop {
        let why = format!(
            "the server does not have everything that was read, up to {}",
            self.grouper.position().render()
        );
        // With several hosts one that has it may be there: a person decides, as for any of them.
        if self.hosts.several() {
            Stop::Broken(why)
        } else {
            lost(&why)
        }
    }

    async fn follow(&mut self, stream: &mut BinlogStream) -> Stop {
        loop {
            if self.hosts.is_left() {
                return Stop::Broken(format!("{} is no primary any more", self.hosts.name()));
            }
            let event = match stream.next().now_or_never() {
                Some(event) => event,
                None => {
                    // Nothing is buffered: whoever waits for these should have them now.
                    if let Err(stop) = self.flush().await {
                        return stop;
                    }
                    tokio::select! {
                        () = self.cancel.cancelled() => return Stop::Cancelled,
                        event = tokio::time::timeout(SILENCE, stream.next()) => match event {
                            Ok(event) => {
                                self.heard.now();
                                event
                            }
                            Err(_) => return Stop::Broken("the server was silent for 5 s".to_owned()),
                        },
                    }
                }
            };
            let event = match event {
                Some(Ok(event)) => event,
                Some(Err(error)) => return classify(Ok(error)),
                None => return Stop::Broken("the server ended the stream".to_owned()),
            };
            match self.grouper.apply(&event) {
                Ok(step) => {
                    if let Err(stop) = self.step(step).await {
                        return stop;
                    }
                }
                Err(error) => {
                    let at = self.grouper.position().render();
                    return Stop::Unreadable(format!("can't read on after {at}: {error:#}"));
                }
            }
        }
    }

    async fn step(&mut self, step: Step) -> Result<(), Stop> {
        match step {
            Step::Nothing => return Ok(()),
            // Something whole came through: whatever was wrong is over.
            Step::Idle => self.sees(),
            Step::Ended(item) => {
                self.sees();
                self.transactions += 1;
                if let Some(item) = item {
                    self.batch.changes += item.transaction.changes.len();
                    self.batch.items.push(item);
                }
            }
        }
        if self.batch.changes >= BATCH_CHANGES || self.transactions >= BATCH_TRANSACTIONS {
            self.flush().await?;
        }
        Ok(())
    }

    fn sees(&mut self) {
        if self.down_since.take().is_some() {
            self.blind.clear(Cause::Binlog);
        }
    }

    /// Hands over what is complete. A full queue holds the reader back, and with it
    /// the server; nothing is dropped.
    async fn flush(&mut self) -> Result<(), Stop> {
        if self.transactions == 0 {
            return Ok(());
        }
        self.transactions = 0;
        self.start = Start::Now;
        let mut batch = std::mem::take(&mut self.batch);
        batch.position = self.grouper.position().render();
        batch.server = self.server;
        let mut feed = Feed::Binlog(batch);
        loop {
            match self.feed.send_timeout(feed, Duration::from_millis(100)) {
                Ok(()) => {
                    self.heard.now();
                    return Ok(());
                }
                Err(SendTimeoutError::Disconnected(_)) => return Err(Stop::Cancelled),
                Err(SendTimeoutError::Timeout(_)) if self.cancel.is_cancelled() => {
                    return Err(Stop::Cancelled);
                }
                Err(SendTimeoutError::Timeout(back)) => feed = back,
            }
        }
    }
}

/// Whether the server can't send from there. The same number also says that another
/// replica took our `server_id`, or that an event is larger than the server may send:
/// the position is still there then.
pub fn is_lost(error: &ServerError) -> bool {
    let other = ["same server", "max_allowed_packet"];
    error.code == POSITION_LOST && !other.iter().any(|words| error.message.contains(words))
}

fn lost(why: &str) -> Stop {
    Stop::Lost(format!(
        "position lost: {why}; unless on_lost_position = \"check\" mends it, check the data at rest, then delete the \
         checkpoint row of source binlog and restart"
    ))
}

fn classify(error: Result<Error, String>) -> Stop {
    match error {
        Ok(Error::Server(e)) if is_lost(&e) => lost(&e.message),
        Ok(Error::Server(e)) if e.code == POSITION_LOST => Stop::Unreadable(e.message),
        Ok(error) => Stop::Broken(error.to_string()),
        Err(text) => Stop::Broken(text),
    }
}
