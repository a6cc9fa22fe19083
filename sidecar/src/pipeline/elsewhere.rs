//! With several servers, a token or heartbeat of the first one passes only when each
//! other server is evaluated up to where it was after that token was seen. So for
//! every mark those servers are asked how far they are, and the mark waits until the
//! evaluator is past all of them: what was committed anywhere before a token is
//! evaluated before it is announced.

use super::Feed;
use super::barrier::Bell;
use crate::blind::{Blind, Cause};
use crate::sources::gtid::{Flavour, GtidSet};
use crate::sources::hosts::Hosts;
use crate::sources::{Mark, preflight};
use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender};
use mysql_async::Conn;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How soon an unanswered question is asked again.
const AGAIN: Duration = Duration::from_millis(50);
/// One question to a server.
const PATIENCE: Duration = Duration::from_secs(2);
/// Marks that wait; past it only the newest of each core and the newest heartbeat
/// are kept, which include the older ones.
const MOST_MARKS: usize = 4096;
/// Answers that were not reached yet; the first and the last say all that matters.
const FEW_ANSWERS: usize = 64;

/// Where the other servers were, asked after all marks up to `seen` were seen.
#[derive(Debug)]
pub struct Answer {
    pub seen: u64,
    /// Of servers 1, 2, …
    pub ends: Vec<GtidSet>,
}

/// Another server, for the asker.
pub struct Other {
    pub hosts: Arc<Hosts>,
    pub flavour: Flavour,
    pub blind: Blind,
}

pub struct Asker {
    others: Vec<Other>,
    feed: Sender<Feed>,
    cancel: CancellationToken,
    seen: Arc<AtomicU64>,
    rung: Receiver<()>,
}

/// Who asks the other servers, and the bell that the evaluator rings.
pub fn asker(others: Vec<Other>, feed: Sender<Feed>, cancel: CancellationToken) -> (Asker, Bell) {
    let (bell, seen, rung) = Bell::new();
    (
        Asker {
            others,
            feed,
            cancel,
            seen,
            rung,
        },
        bell,
    )
}

impl Asker {
    /// Asks until cancelled, on its own thread and runtime.
    pub fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut conns: Vec<Option<Conn>> = self.others.iter().map(|_| None).collect();
        let mut answered = 0;
        while !self.cancel.is_cancelled() {
            match self.rung.recv_timeout(AGAIN) {
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
                if !self.send(Answer { seen, ends }) {
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
            match tokio::time::timeout(PATIENCE, position(other, kept)).await {
                Ok(Ok(end)) => {
                    other.blind.clear(Cause::Position);
                    ends.push(end);
                }
                Ok(Err(error)) => other.blind.set(
                    Cause::Position,
                    format!("can't be asked how far it is: {error:#}"),
                ),
                Err(_) => other
                    .blind
                    .set(Cause::Position, "does not say how far it is within 2 s"),
            }
        }
        (ends.len() == self.others.len()).then_some(ends)
    }

    fn send(&self, answer: Answer) -> bool {
        let mut feed = Feed::Elsewhere(answer);
        loop {
            match self.feed.send_timeout(feed, Duration::from_millis(100)) {
                Ok(()) => return true,
                Err(SendTimeoutError::Timeout(back)) if !self.cancel.is_cancelled() => feed = back,
                Err(_) => return false,
            }
        }
    }
}

async fn position(other: &Other, kept: &mut Option<Conn>) -> anyhow::Result<GtidSet> {
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
pub struct Elsewhere {
    bell: Bell,
    read: Vec<GtidSet>,
    answers: VecDeque<Answer>,
    waiting: VecDeque<(u64, Mark)>,
}

impl Elsewhere {
    /// `read` is where the other servers' readers begin.
    pub fn new(bell: Bell, read: Vec<GtidSet>) -> Self {
        Elsewhere {
            bell,
            read,
            answers: VecDeque::new(),
            waiting: VecDeque::new(),
        }
    }

    /// A mark of the first server was seen.
    pub fn wait(&mut self, mark: Mark) {
        self.waiting.push_back((self.bell.ring(), mark));
        if self.waiting.len() > MOST_MARKS {
            let core = |mark: &Mark| match mark {
                Mark::Token(token) => token.instance.clone(),
                Mark::Heartbeat { .. } => String::new(),
            };
            let newest: HashMap<String, u64> = self
                .waiting
                .iter()
                .map(|(n, mark)| (core(mark), *n))
                .collect();
            self.waiting
                .retain(|(n, mark)| newest.get(&core(mark)) == Some(n));
        }
    }

    /// Server `number` (1, 2, …) is evaluated up to `position`.
    pub fn reached(&mut self, number: usize, position: GtidSet) {
        if let Some(read) = number.checked_sub(1).and_then(|at| self.read.get_mut(at)) {
            *read = position;
        }
    }

    pub fn answered(&mut self, answer: Answer) {
        self.answers.push_back(answer);
        // What an older answer asks for, a newer one asks for too.
        if self.answers.len() > FEW_ANSWERS {
            self.answers.drain(1..self.answers.len() - 1);
        }
    }

    /// The marks that wait for nothing any more, in their order.
    pub fn passed(&mut self) -> Vec<Mark> {
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
                passed.extend(self.waiting.pop_front().map(|(_, mark)| mark));
            }
            self.answers.pop_front();
        }
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_waits_for_every_other_server() -> anyhow::Result<()> {
        let at = |text: &str| GtidSet::parse(Flavour::MariaDb, text);
        let (bell, seen, _rung) = Bell::new();
        let mut elsewhere = Elsewhere::new(bell, vec![at("0-1-5")?, at("")?]);
        let beat = |n| Mark::Heartbeat { updated_us: n };
        elsewhere.wait(beat(1));
        assert_eq!(
            (seen.load(Ordering::Acquire), elsewhere.passed().len()),
            (1, 0)
        );
        elsewhere.answered(Answer {
            seen: 1,
            ends: vec![at("0-1-6")?, at("0-2-3")?],
        });
        elsewhere.wait(beat(2));
        elsewhere.reached(1, at("0-1-9")?);
        assert!(elsewhere.passed().is_empty());
        elsewhere.reached(2, at("0-2-3")?);
        assert_eq!(
            elsewhere.passed(),
            [beat(1)],
            "the second was not asked for yet"
        );
        elsewhere.answered(Answer {
            seen: 2,
            ends: vec![at("0-1-9")?, at("0-2-3")?],
        });
        assert_eq!(elsewhere.passed(), [beat(2)]);
        Ok(())
    }
}
