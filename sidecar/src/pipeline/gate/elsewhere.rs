//! With several servers, a token or heartbeat of the first one passes only when each
//! other server is evaluated up to where it was after that token was seen. So for
//! every control_row those servers are asked how far they are, and the control_row waits until the
//! evaluator is past all of them: what was committed anywhere before a token is
//! evaluated before it is announced.

use crate::binlog::hosts::ServerHosts;
use crate::binlog::preflight;
use crate::health::blind::{Blind, BlindCause};
use crate::pipeline::gate::barrier::EndOffsetRequests;
use crate::stream::batches::ControlRow;
use crate::stream::feed::{ServerEndOffsets, SourceMessage};
use crate::stream::gtid::{Flavour, GtidSet};
use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender};
use mysql_async::Conn;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How soon an unanswered question is asked again.
const RETRY_DELAY: Duration = Duration::from_millis(50);
/// One question to a server.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
/// Marks that wait; past it only the newest of each core and the newest heartbeat
/// are kept, which include the older ones.
const MAX_WAITING_CONTROL_ROWS: usize = 4096;
/// Answers that were not reached yet; the first and the last say all that matters.
const MAX_PENDING_END_OFFSETS: usize = 64;

/// Another server, for the asker.
pub struct OtherServer {
    pub hosts: Arc<ServerHosts>,
    pub flavour: Flavour,
    pub blind: Blind,
}

pub struct ServerEndAsker {
    others: Vec<OtherServer>,
    feed: Sender<SourceMessage>,
    cancel: CancellationToken,
    seen: Arc<AtomicU64>,
    rung: Receiver<()>,
}

/// Who asks the other servers, and the bell that the evaluator rings.
pub fn asker(
    others: Vec<OtherServer>,
    feed: Sender<SourceMessage>,
    cancel: CancellationToken,
) -> (ServerEndAsker, EndOffsetRequests) {
    let (bell, seen, rung) = EndOffsetRequests::new();
    (
        ServerEndAsker {
            others,
            feed,
            cancel,
            seen,
            rung,
        },
        bell,
    )
}

impl ServerEndAsker {
    /// Asks until cancelled, on its own thread and runtime.
    pub fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut conns: Vec<Option<Conn>> = self.others.iter().map(|_| None).collect();
        let mut answered = 0;
        while !self.cancel.is_cancelled() {
            match self.rung.recv_timeout(RETRY_DELAY) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            // Whatever was numbered before the question is served by its answer.
            let seen = self.seen.load(Ordering::Acquire);
            if seen == answered {
                continue;
            }
            if let Some(ends) = runtime.block_on(self.ask(&mut conns)) {
                answered = seen;
                if !self.send(ServerEndOffsets { seen, ends }) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// None if one does not answer; the marks then stay where they are.
    async fn ask(&self, conns: &mut [Option<Conn>]) -> Option<Vec<GtidSet>> {
        let mut ends = Vec::with_capacity(self.others.len());
        for (other, kept) in self.others.iter().zip(conns) {
            match tokio::time::timeout(QUERY_TIMEOUT, position(other, kept)).await {
                Ok(Ok(end)) => {
                    other.blind.clear(BlindCause::Position);
                    ends.push(end);
                }
                Ok(Err(error)) => other.blind.set(
                    BlindCause::Position,
                    format!("can't be asked how far it is: {error:#}"),
                ),
                Err(_) => other.blind.set(
                    BlindCause::Position,
                    "does not say how far it is within 2 s",
                ),
            }
        }
        (ends.len() == self.others.len()).then_some(ends)
    }

    fn send(&self, answer: ServerEndOffsets) -> bool {
        let mut feed = SourceMessage::Elsewhere(answer);
        loop {
            match self.feed.send_timeout(feed, Duration::from_millis(100)) {
                Ok(()) => return true,
                Err(SendTimeoutError::Timeout(back)) if !self.cancel.is_cancelled() => feed = back,
                Err(_) => return false,
            }
        }
    }
}

async fn position(other: &OtherServer, kept: &mut Option<Conn>) -> anyhow::Result<GtidSet> {
    // Taken out while in use: a cancelled question leaves no half-read answer behind.
    let mut conn = match kept.take() {
        Some(conn) => conn,
        // Not of the pool: that belongs to the program's runtime, and this thread has one of
        // its own, with which a pool's inner task would end.
        None => sluice_contract::sql::connect(other.hosts.url()).await?,
    };
    let position = preflight::position(&mut conn, other.flavour).await?;
    *kept = Some(conn);
    GtidSet::parse(other.flavour, &position)
}

/// The evaluator's side: how far the others are evaluated, and what waits for them.
pub struct ServerGate {
    bell: EndOffsetRequests,
    read: Vec<GtidSet>,
    answers: VecDeque<ServerEndOffsets>,
    waiting: VecDeque<(u64, ControlRow)>,
}

impl ServerGate {
    /// `read` is where the other servers' readers begin.
    pub fn new(bell: EndOffsetRequests, read: Vec<GtidSet>) -> Self {
        ServerGate {
            bell,
            read,
            answers: VecDeque::new(),
            waiting: VecDeque::new(),
        }
    }

    /// A control_row of the first server was seen.
    pub fn wait(&mut self, control_row: ControlRow) {
        self.waiting.push_back((self.bell.ring(), control_row));
        if self.waiting.len() > MAX_WAITING_CONTROL_ROWS {
            let core = |control_row: &ControlRow| match control_row {
                ControlRow::Token(token) => token.instance.clone(),
                ControlRow::Heartbeat { .. } => String::new(),
            };
            let newest: HashMap<String, u64> = self
                .waiting
                .iter()
                .map(|(n, control_row)| (core(control_row), *n))
                .collect();
            self.waiting
                .retain(|(n, control_row)| newest.get(&core(control_row)) == Some(n));
        }
    }

    /// Server `number` (1, 2, …) is evaluated up to `position`.
    pub fn reached(&mut self, number: usize, position: GtidSet) {
        if let Some(read) = number.checked_sub(1).and_then(|at| self.read.get_mut(at)) {
            *read = position;
        }
    }

    pub fn answered(&mut self, answer: ServerEndOffsets) {
        self.answers.push_back(answer);
        // What an older answer asks for, a newer one asks for too.
        if self.answers.len() > MAX_PENDING_END_OFFSETS {
            self.answers.drain(1..self.answers.len() - 1);
        }
    }

    /// The marks that wait for nothing any more, in their order.
    pub fn passed(&mut self) -> Vec<ControlRow> {
        let mut passed = Vec::new();
        while let Some(answer) = self.answers.front() {
            if self
                .read
                .iter()
                .zip(&answer.ends)
                .any(|(read, end)| read.lacks(end) > 0)
            {
                break;
            }
            let seen = answer.seen;
            while self
                .waiting
                .front()
                .is_some_and(|(number, _)| *number <= seen)
            {
                passed.extend(self.waiting.pop_front().map(|(_, control_row)| control_row));
            }
            self.answers.pop_front();
        }
        passed
    }
}

#[cfg(test)]
#[path = "elsewhere_tests.rs"]
mod tests;
