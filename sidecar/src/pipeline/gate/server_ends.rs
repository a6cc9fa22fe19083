//! End offsets of the other servers. With several of them a token or heartbeat of the first
//! one passes only when each other server is evaluated up to where it was after that row was
//! seen: whatever was committed anywhere before a token is evaluated before it is announced.

use crate::binlog::hosts::ServerHosts;
use crate::binlog::preflight;
use crate::health::blind::{Blind, BlindCause};
use crate::pipeline::gate::asker::EndReader;
use crate::stream::feed::{EndOffsets, SourceMessage};
use crate::stream::gtid::{Flavour, GtidSet};
use mysql_async::Conn;
use sluice_contract::clock::now_us;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// One question to a server.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Another server, and the connection to it that is kept between two questions.
pub struct OtherServer {
    hosts: Arc<ServerHosts>,
    flavour: Flavour,
    blind: Blind,
    /// Not of a pool: that belongs to the program's runtime, and the asker's thread has one of
    /// its own, with which a pool's inner task would end.
    conn: Option<Conn>,
}

impl OtherServer {
    pub fn new(hosts: Arc<ServerHosts>, flavour: Flavour, blind: Blind) -> Self {
        OtherServer {
            hosts,
            flavour,
            blind,
            conn: None,
        }
    }

    /// The server's position. `None` if it does not answer, which makes blind.
    async fn end(&mut self) -> Option<GtidSet> {
        match tokio::time::timeout(QUERY_TIMEOUT, self.position()).await {
            Ok(Ok(end)) => {
                self.blind.clear(BlindCause::Position);
                return Some(end);
            }
            Ok(Err(error)) => self.blind.set(
                BlindCause::Position,
                format!("can't be asked how far it is: {error:#}"),
            ),
            Err(_) => self.blind.set(
                BlindCause::Position,
                "does not say how far it is within 2 s",
            ),
        }
        None
    }

    async fn position(&mut self) -> anyhow::Result<GtidSet> {
        // Taken out while in use: a cancelled question leaves no half-read answer behind.
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => sluice_contract::sql::connect(self.hosts.url()).await?,
        };
        let position = preflight::position(&mut conn, self.flavour).await?;
        self.conn = Some(conn);
        GtidSet::parse(self.flavour, &position)
    }
}

/// Asks each other server how far it is.
pub struct ServerEndReader {
    others: Vec<OtherServer>,
    runtime: Runtime,
}

impl ServerEndReader {
    /// A reader with a runtime of its own; to be made on the thread that asks.
    ///
    /// # Errors
    /// The runtime's, if the system refuses what it needs.
    pub fn new(others: Vec<OtherServer>) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(ServerEndReader { others, runtime })
    }
}

impl EndReader for ServerEndReader {
    type Ends = Vec<GtidSet>;

    const UNPROMPTED: bool = false;
    /// An unanswered question is asked again after this time.
    const POLL_INTERVAL: Duration = Duration::from_millis(50);

    /// `None` if one does not answer; the others are asked all the same, so that the causes
    /// of blindness are right.
    fn read_ends(&mut self) -> Option<(Vec<GtidSet>, i64)> {
        let at_us = now_us();
        let others = &mut self.others;
        let ends = self.runtime.block_on(async {
            let mut ends = Vec::with_capacity(others.len());
            for other in &mut *others {
                ends.extend(other.end().await);
            }
            ends
        });
        (ends.len() == self.others.len()).then_some((ends, at_us))
    }

    fn message(answer: EndOffsets<Vec<GtidSet>>) -> SourceMessage {
        SourceMessage::ServerEnds(answer)
    }
}
