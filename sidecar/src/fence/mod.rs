//! The fence: what each core may send. A line says up to which of its tokens
//! everything was evaluated and committed, which accounts must wait, and whether
//! the sidecar can see at all. While it can't, tokens stand still.

mod stream;
#[cfg(test)]
mod tests;

use crate::breakers::seal::BreakerSeal;
use crate::health::blind::Blind;
use crate::stream::batches::FenceToken;
use sluice_contract::wire::FenceLine;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Cores remembered; past it the one silent for longest is forgotten, and starts
/// from 0 when it writes its next token.
const MAX_INSTANCES: usize = 1_000;

#[derive(Debug, Default)]
struct FenceState {
    /// Counts leaderships: what an earlier one announced is forgotten.
    leadership: u64,
    /// Highest token and when it was written.
    tokens: HashMap<String, (u64, i64)>,
    holds: Arc<Vec<String>>,
}

/// Publisher of the fence, shared by the committer, which announces, and the listener.
#[derive(Clone)]
pub struct FencePublisher {
    evaluated: Arc<Mutex<FenceState>>,
    changed: watch::Sender<u64>,
    blind: Blind,
    seal: BreakerSeal,
    closed: CancellationToken,
}

impl FencePublisher {
    pub fn new(blind: Blind, seal: BreakerSeal) -> Self {
        FencePublisher {
            evaluated: Arc::default(),
            changed: watch::channel(0).0,
            blind,
            seal,
            closed: CancellationToken::new(),
        }
    }

    /// Ends every stream, and each that is opened later: from here on nothing is announced,
    /// so that another sidecar may lead.
    pub fn close(&self) {
        self.closed.cancel();
    }

    /// Another leadership begins to read, in this process: which accounts must wait is known
    /// only once it has read again what is open. A token that was announced before must not
    /// let anything through meanwhile; cores raise another one.
    pub fn leadership_begins(&self) {
        let mut shown = self
            .evaluated
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *shown = FenceState {
            leadership: shown.leadership + 1,
            ..FenceState::default()
        };
        drop(shown);
        self.changed.send_modify(|version| *version += 1);
    }

    /// Everything up to these tokens is evaluated and committed.
    pub fn announce(&self, released: &[FenceToken], holds: Option<Arc<Vec<String>>>) {
        if released.is_empty() && holds.is_none() {
            return;
        }
        let mut shown = self
            .evaluated
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for token in released {
            let entry = shown.tokens.entry(token.instance.clone()).or_default();
            *entry = (entry.0.max(token.token), entry.1.max(token.updated_us));
        }
        if shown.tokens.len() > MAX_INSTANCES {
            let oldest = shown
                .tokens
                .iter()
                .min_by_key(|(_, (_, at))| *at)
                .map(|(name, _)| name.clone());
            oldest.map(|name| shown.tokens.remove(&name));
        }
        if let Some(holds) = holds {
            shown.holds = holds;
        }
        drop(shown);
        self.changed.send_modify(|version| *version += 1);
    }

    /// This instance's word now, and in which leadership. `before` is the last token that was
    /// sent, and when: blind, it stays.
    fn line(&self, instance: &str, before: (u64, u64)) -> (u64, FenceLine) {
        let blind = self.blind.reason();
        let shown = self
            .evaluated
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = if before.0 == shown.leadership {
            before.1
        } else {
            0
        };
        let reached = shown.tokens.get(instance).map_or(0, |(token, _)| *token);
        let token = if blind.is_some() {
            before
        } else {
            reached.max(before)
        };
        (
            shown.leadership,
            FenceLine {
                token,
                blind: blind.map(|b| b.to_string()),
                holds: shown.holds.to_vec(),
                breakers: self.seal.version(),
                signed: self.seal.rows().mark().map(|mark| mark.unsigned_month),
            },
        )
    }
}
