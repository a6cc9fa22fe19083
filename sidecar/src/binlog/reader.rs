//! The binlog reader: a thread of its own, so that decoding at full speed starves
//! nobody. It hands over whole transactions and never passes what it can't read.

use crate::binlog::hosts::{HostChoice, ServerHosts};
use crate::binlog::preflight;
use crate::binlog::transactions::{GroupingStep, TransactionGrouper};
use crate::binlog::watched_tables::WatchedTables;
use crate::health::blind::{Blind, BlindCause};
use crate::health::last_activity::LastActivity;
use crate::stream::batches::BinlogBatch;
use crate::stream::feed::{FeedSender, SourceMessage};
use crate::stream::gtid::{Flavour, GtidSet};
use crate::stream::position::StartPosition;
use futures_util::{FutureExt, StreamExt};
use mysql_async::{BinlogStream, Error, ServerError};
use sluice_contract::schema::Schemas;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Changes per hand-over: long enough to amortise the queue, short enough that
/// the evaluator starts at once.
const MAX_CHANGES_PER_BATCH: usize = 1024;
/// Transactions per hand-over, for the same reason.
const MAX_TRANSACTIONS_PER_BATCH: usize = 256;
/// The server beats every second; after this much silence it is gone.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// How long connecting may take before it counts as a failure.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Reconnect at once, then more slowly.
const RECONNECT_BACKOFF: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_secs(2));
/// Without a connection for this long the sidecar is blind.
const BLIND_AFTER_DOWN: Duration = Duration::from_secs(1);
/// How often an unreadable event or a lost position is tried again.
const UNREADABLE_RETRY_DELAY: Duration = Duration::from_secs(5);
/// A position that the server does not have any more, or never had.
const POSITION_LOST_ERROR: u16 = 1236;

pub struct BinlogReaderSettings {
    pub url: String,
    pub server_id: u32,
    pub schemas: Schemas,
    pub flavour: Flavour,
    pub position: String,
    pub start: StartPosition,
}

/// Why reading stopped.
enum BinlogStop {
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

pub struct BinlogReader {
    settings: BinlogReaderSettings,
    hosts: Arc<ServerHosts>,
    /// Which of several servers this is.
    server: usize,
    heard: LastActivity,
    /// Cancelled when another host took over.
    moved: CancellationToken,
    grouper: TransactionGrouper,
    batch: BinlogBatch,
    transactions: usize,
    feed: FeedSender,
    blind: Blind,
    /// From the oldest file, until something was handed over.
    start: StartPosition,
    down_since: Option<Instant>,
    /// Told when the position is lost; it goes on trying all the same.
    lost: Option<mpsc::Sender<()>>,
}

impl BinlogReader {
    pub fn new(
        settings: BinlogReaderSettings,
        feed: FeedSender,
        blind: Blind,
    ) -> anyhow::Result<Self> {
        let hosts = Arc::new(ServerHosts::new("url", &settings.url, 1)?);
        let position = GtidSet::parse(settings.flavour, &settings.position)?;
        let grouper = TransactionGrouper::new(
            WatchedTables::new(&settings.schemas),
            settings.flavour,
            position,
        );
        let start = settings.start;
        let down_since = Some(Instant::now());
        Ok(BinlogReader {
            settings,
            hosts,
            server: 0,
            heard: LastActivity::default(),
            moved: CancellationToken::new(),
            grouper,
            batch: BinlogBatch::default(),
            transactions: 0,
            feed,
            blind,
            start,
            down_since,
            lost: None,
        })
    }

    /// Follows these hosts; `moved` is cancelled when another one took over, and the
    /// reader ends.
    pub fn over(
        mut self,
        hosts: Arc<ServerHosts>,
        heard: LastActivity,
        moved: CancellationToken,
    ) -> Self {
        (self.hosts, self.heard, self.moved) = (hosts, heard, moved);
        self
    }

    /// Number `server` of several: only what `watch` says is here.
    pub fn of_server(mut self, server: usize, name: &str, watch: WatchedTables) -> Self {
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
        let mut pause = RECONNECT_BACKOFF.0;
        loop {
            self.grouper.restart(self.start == StartPosition::Oldest);
            let mut stop = self.read_once().await;
            let healthy = self.down_since.is_none();
            self.down_since.get_or_insert_with(Instant::now);
            if let BinlogStop::Broken(reason) = stop {
                stop = self.look_elsewhere(reason).await;
            }
            let wait = match stop {
                BinlogStop::Cancelled => return,
                BinlogStop::Moved => return self.moved.cancel(),
                BinlogStop::Unreadable(reason) => {
                    self.blind.set(BlindCause::Binlog, reason);
                    UNREADABLE_RETRY_DELAY
                }
                BinlogStop::Lost(reason) => {
                    self.blind.set(BlindCause::Binlog, reason);
                    // Full: it was told already.
                    let _ = self.lost.as_ref().map(|lost| lost.try_send(()));
                    UNREADABLE_RETRY_DELAY
                }
                BinlogStop::Broken(reason) => {
                    pause = if healthy {
                        RECONNECT_BACKOFF.0
                    } else {
                        (pause * 2).min(RECONNECT_BACKOFF.1)
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
                () = self.feed.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// The connection broke: if there are other hosts, one of them may have taken over.
    async fn look_elsewhere(&self, reason: String) -> BinlogStop {
        if !self.hosts.several() {
            return BinlogStop::Broken(reason);
        }
        let required_position = match self.grouper.required_position() {
            Ok(required_position) => required_position,
            Err(error) => return BinlogStop::Broken(format!("{reason}; {error:#}")),
        };
        match self
            .hosts
            .find(
                self.settings.server_id,
                self.settings.flavour,
                &required_position,
            )
            .await
        {
            HostChoice::Same => BinlogStop::Broken(reason),
            HostChoice::Moved => BinlogStop::Moved,
            HostChoice::Nowhere(refusals) => {
                BinlogStop::Broken(format!("{reason}; no host can go on: {refusals}"))
            }
        }
    }

    fn blind_if_long(&self, reason: &str) {
        if self
            .down_since
            .is_some_and(|since| since.elapsed() >= BLIND_AFTER_DOWN)
        {
            self.blind.set(BlindCause::Binlog, reason);
        }
    }

    async fn read_once(&mut self) -> BinlogStop {
        let mut stream = match tokio::time::timeout(CONNECT_TIMEOUT, self.open()).await {
            Ok(Ok(Some(stream))) => stream,
            Ok(Ok(None)) => return self.lost_something(),
            Ok(Err(error)) => {
                return classify(error.downcast::<Error>().map_err(|e| format!("{e:#}")));
            }
            Err(_) => return BinlogStop::Broken("connecting took more than 2 s".to_owned()),
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
        if flavour == Flavour::MySql && self.start == StartPosition::Now {
            let mut conn = sluice_contract::sql::connect(url).await?;
            let required_position = self.grouper.required_position()?;
            if !preflight::has_all(&mut conn, flavour, &required_position).await? {
                return Ok(None);
            }
            if !preflight::has_all(&mut conn, flavour, self.grouper.position()).await? {
                // A heartbeat or token died with its server. Kept in our position it would
                // look later as if something that matters was lost.
                self.grouper.rewind_to(required_position);
            }
            conn.disconnect().await?;
        }
        let position = self.grouper.position();
        preflight::open(url, self.settings.server_id, flavour, position, self.start)
            .await
            .map(Some)
    }

    fn lost_something(&self) -> BinlogStop {
        let why = format!(
            "the server does not have everything that was read, up to {}",
            self.grouper.position().render()
        );
        // With several hosts one that has it may be there: a person decides, as for any of them.
        if self.hosts.several() {
            BinlogStop::Broken(why)
        } else {
            lost(&why)
        }
    }

    async fn follow(&mut self, stream: &mut BinlogStream) -> BinlogStop {
        loop {
            if self.hosts.is_left() {
                return BinlogStop::Broken(format!("{} is no primary any more", self.hosts.name()));
            }
            let event = match stream.next().now_or_never() {
                Some(event) => event,
                None => {
                    // Nothing is buffered: whoever waits for these should have them now.
                    if let Err(stop) = self.flush().await {
                        return stop;
                    }
                    tokio::select! {
                        () = self.feed.cancelled() => return BinlogStop::Cancelled,
                        event = tokio::time::timeout(READ_TIMEOUT, stream.next()) => match event {
                            Ok(event) => {
                                self.heard.now();
                                event
                            }
                            Err(_) => return BinlogStop::Broken("the server was silent for 5 s".to_owned()),
                        },
                    }
                }
            };
            let event = match event {
                Some(Ok(event)) => event,
                Some(Err(error)) => return classify(Ok(error)),
                None => return BinlogStop::Broken("the server ended the stream".to_owned()),
            };
            match self.grouper.apply(&event) {
                Ok(step) => {
                    if let Err(stop) = self.step(step).await {
                        return stop;
                    }
                }
                Err(error) => {
                    let at = self.grouper.position().render();
                    return BinlogStop::Unreadable(format!("can't read on after {at}: {error:#}"));
                }
            }
        }
    }

    async fn step(&mut self, step: GroupingStep) -> Result<(), BinlogStop> {
        match step {
            GroupingStep::Nothing => return Ok(()),
            // Something whole came through: whatever was wrong is over.
            GroupingStep::Idle => self.sees(),
            GroupingStep::Ended(item) => {
                self.sees();
                self.transactions += 1;
                if let Some(item) = item {
                    self.batch.changes += item.transaction.changes.len();
                    self.batch.items.push(item);
                }
            }
        }
        if self.batch.changes >= MAX_CHANGES_PER_BATCH
            || self.transactions >= MAX_TRANSACTIONS_PER_BATCH
        {
            self.flush().await?;
        }
        Ok(())
    }

    fn sees(&mut self) {
        if self.down_since.take().is_some() {
            self.blind.clear(BlindCause::Binlog);
        }
    }

    /// Hands over what is complete. A full queue holds the reader back, and with it
    /// the server; nothing is dropped.
    async fn flush(&mut self) -> Result<(), BinlogStop> {
        if self.transactions == 0 {
            return Ok(());
        }
        self.transactions = 0;
        self.start = StartPosition::Now;
        let mut batch = std::mem::take(&mut self.batch);
        batch.position = self.grouper.position().render();
        batch.server = self.server;
        if !self.feed.send(SourceMessage::Binlog(batch)) {
            return Err(BinlogStop::Cancelled);
        }
        self.heard.now();
        Ok(())
    }
}

/// Whether the server can't send from there. The same number also says that another
/// replica took our `server_id`, or that an event is larger than the server may send:
/// the position is still there then.
pub fn is_lost(error: &ServerError) -> bool {
    let other = ["same server", "max_allowed_packet"];
    error.code == POSITION_LOST_ERROR && !other.iter().any(|words| error.message.contains(words))
}

fn lost(why: &str) -> BinlogStop {
    BinlogStop::Lost(format!(
        "position lost: {why}; unless on_lost_position = \"check\" mends it, check the data at rest, then delete the \
         checkpoint row of source binlog and restart"
    ))
}

fn classify(error: Result<Error, String>) -> BinlogStop {
    match error {
        Ok(Error::Server(e)) if is_lost(&e) => lost(&e.message),
        Ok(Error::Server(e)) if e.code == POSITION_LOST_ERROR => BinlogStop::Unreadable(e.message),
        Ok(error) => BinlogStop::Broken(error.to_string()),
        Err(text) => BinlogStop::Broken(text),
    }
}
