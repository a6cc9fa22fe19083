//! The fence: what each core may send. A line says up to which of its tokens
//! everything was evaluated and committed, which accounts must wait, and whether
//! the sidecar can see at all. While it can't, tokens stand still.

use crate::health::blind::Blind;
use crate::stream::batches::FenceToken;
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use sluice_contract::wire::FenceLine;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Cores remembered; past it the one silent for longest is forgotten, and starts
/// from 0 when it writes its next token.
const MAX_INSTANCES: usize = 1_000;
/// A line at least this often, so that a core knows that the stream lives.
const LINE_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
struct FenceState {
    /// Counts leaderships: what an earlier one told is forgotten.
    leadership: u64,
    /// Highest token and when it was written.
    tokens: HashMap<String, (u64, i64)>,
    holds: Arc<Vec<String>>,
}

/// Shared by the committer, which announces, and the listener, which tells.
#[derive(Clone)]
pub struct FencePublisher {
    evaluated: Arc<Mutex<FenceState>>,
    changed: watch::Sender<u64>,
    blind: Blind,
    closed: CancellationToken,
}

impl FencePublisher {
    pub fn new(blind: Blind) -> Self {
        FencePublisher {
            evaluated: Arc::default(),
            changed: watch::channel(0).0,
            blind,
            closed: CancellationToken::new(),
        }
    }

    /// Ends every stream, and each that is opened later: from here on nothing is told,
    /// so that another sidecar may lead.
    pub fn close(&self) {
        self.closed.cancel();
    }

    /// Another leadership begins to read, in this process: which accounts must wait is known
    /// only once it has read again what is open. A token that was told before must not
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
    /// told, and when: blind, it stays.
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
            },
        )
    }

    /// A stream of lines for one core.
    pub fn stream(&self, instance: String) -> Response {
        let told = FenceStream {
            changed: self.changed.subscribe(),
            blind: self.blind.subscribe(),
            fence: self.clone(),
            instance,
            last: None,
            leadership: 0,
            closed: self.closed.clone(),
        };
        let lines = stream::unfold(told, |mut told| async move {
            let line = told.next().await?;
            Some((Ok::<Bytes, std::convert::Infallible>(line), told))
        });
        (
            [
                (header::CONTENT_TYPE, "application/x-ndjson"),
                (header::CACHE_CONTROL, "no-store"),
            ],
            Body::from_stream(lines),
        )
            .into_response()
    }
}

/// One open stream.
struct FenceStream {
    fence: FencePublisher,
    instance: String,
    changed: watch::Receiver<u64>,
    blind: watch::Receiver<Option<Arc<str>>>,
    last: Option<FenceLine>,
    /// In which `last` was told.
    leadership: u64,
    closed: CancellationToken,
}

impl FenceStream {
    /// The next line: at once the first time, then at a change or a beat.
    async fn next(&mut self) -> Option<Bytes> {
        let beat = tokio::time::sleep(LINE_INTERVAL);
        tokio::pin!(beat);
        loop {
            let before = (self.leadership, self.last.as_ref().map_or(0, |l| l.token));
            self.changed.mark_unchanged();
            self.blind.mark_unchanged();
            let (leadership, line) = self.fence.line(&self.instance, before);
            self.leadership = leadership;
            if self.last.as_ref() != Some(&line) {
                return self.tell(line);
            }
            tokio::select! {
                () = self.closed.cancelled() => return None,
                () = &mut beat => return self.tell(line),
                changed = self.changed.changed() => changed.ok()?,
                changed = self.blind.changed() => changed.ok()?,
            }
        }
    }

    fn tell(&mut self, line: FenceLine) -> Option<Bytes> {
        if self.closed.is_cancelled() {
            return None;
        }
        let mut text = serde_json::to_vec(&line).ok()?;
        text.push(b'\n');
        self.last = Some(line);
        Some(Bytes::from(text))
    }
}

#[cfg(test)]
#[path = "fence_tests.rs"]
mod tests;
