//! The binlog reader: a thread of its own, so that decoding at full speed starves
//! nobody. It hands over whole transactions and never passes what it can't read.
//!
//! | phase | statement | round trips |
//! |---|---|---|
//! | connect | `SET @slave_connect_state`, or `COM_BINLOG_DUMP_GTID` | 3 to 5 |
//! | follow | none: events come as they are committed | 0 |
//! | flush | none: a batch goes to the evaluator's queue | 0 |
//! | look for another host, once it broke | what `ServerHosts::find` asks | a few a host |

mod follow;
mod retry;
mod stop;

pub use crate::binlog::reader::stop::is_lost;

use crate::binlog::hosts::ServerHosts;
use crate::binlog::reader::follow::READ_TIMEOUT;
use crate::binlog::transactions::TransactionGrouper;
use crate::binlog::watched_tables::WatchedTables;
use crate::health::blind::Blind;
use crate::health::last_activity::LastActivity;
use crate::stream::batches::BinlogBatch;
use crate::stream::feed::FeedSender;
use crate::stream::gtid::{Flavour, GtidSet};
use crate::stream::position::StartPosition;
use sluice_contract::schema::Schemas;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub struct BinlogReaderSettings {
    pub url: String,
    pub server_id: u32,
    pub schemas: Schemas,
    pub flavour: Flavour,
    pub position: String,
    pub start: StartPosition,
}

pub struct BinlogReader {
    settings: BinlogReaderSettings,
    hosts: Arc<ServerHosts>,
    /// Which of several servers this is.
    server: usize,
    last_activity: LastActivity,
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
    /// Silence of the server after which the connection counts as broken.
    patience: Duration,
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
            last_activity: LastActivity::default(),
            moved: CancellationToken::new(),
            grouper,
            batch: BinlogBatch::default(),
            transactions: 0,
            feed,
            blind,
            start,
            down_since,
            patience: READ_TIMEOUT,
            lost: None,
        })
    }

    /// Follows these hosts; `moved` is cancelled when another one took over, and the
    /// reader ends.
    pub fn over(
        mut self,
        hosts: Arc<ServerHosts>,
        last_activity: LastActivity,
        moved: CancellationToken,
    ) -> Self {
        (self.hosts, self.last_activity, self.moved) = (hosts, last_activity, moved);
        self
    }

    /// Reads number `server` of several: only what `watch` says is here.
    pub fn of_server(mut self, server: usize, name: &str, watch: WatchedTables) -> Self {
        self.server = server;
        self.grouper.of_server(name, watch);
        self
    }

    /// Tells `lost` when the position is lost.
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
}
