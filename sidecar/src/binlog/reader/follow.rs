//! One connection to the server: opened, followed, and what it brings handed over.

use crate::binlog::preflight;
use crate::binlog::reader::BinlogReader;
use crate::binlog::reader::stop::{BinlogStop, classify, lost};
use crate::binlog::transactions::GroupingStep;
use crate::health::blind::BlindCause;
use crate::stream::feed::SourceMessage;
use crate::stream::gtid::Flavour;
use crate::stream::position::StartPosition;
use futures_util::{FutureExt, StreamExt};
use mysql_async::{BinlogStream, Error};
use std::time::Duration;

/// Changes per hand-over: long enough to amortise the queue, short enough that
/// the evaluator starts at once.
const MAX_CHANGES_PER_BATCH: usize = 1024;
/// Transactions per hand-over, for the same reason.
const MAX_TRANSACTIONS_PER_BATCH: usize = 256;
/// The server beats every second; after this much silence it is gone.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// An event of hundreds of megabytes takes its time, and the server does not beat meanwhile:
/// each silence doubles the patience with the next, up to this.
const MAX_READ_TIMEOUT: Duration = Duration::from_secs(160);
/// Connecting counts as a failure after this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
impl BinlogReader {
    pub(super) async fn read_once(&mut self) -> BinlogStop {
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
        let opened =
            preflight::open(url, self.settings.server_id, flavour, position, self.start).await?;
        self.grouper.fold_names(opened.folds_names);
        Ok(Some(opened.stream))
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
                        event = tokio::time::timeout(self.patience, stream.next()) => match event {
                            Ok(event) => {
                                self.last_activity.now();
                                event
                            }
                            Err(_) => return self.silent(),
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

    fn silent(&mut self) -> BinlogStop {
        let silence_s = self.patience.as_secs();
        self.patience = (self.patience * 2).min(MAX_READ_TIMEOUT);
        BinlogStop::Broken(format!("the server was silent for {silence_s} s"))
    }

    fn sees(&mut self) {
        self.patience = READ_TIMEOUT;
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
        batch.needs_from = self.grouper.needs_from();
        if !self.feed.send(SourceMessage::Binlog(batch)) {
            return Err(BinlogStop::Cancelled);
        }
        self.last_activity.now();
        Ok(())
    }
}
