//! One core's stream of fence lines: a line at every change, and a beat between them.

use crate::fence::FencePublisher;
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use sluice_contract::wire::FenceLine;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Time between two lines at most, so that a core knows that the stream lives.
const LINE_INTERVAL: Duration = Duration::from_millis(500);

impl FencePublisher {
    /// Streams lines to one core, until the fence is closed.
    pub fn stream(&self, instance: String) -> Response {
        let open = FenceStream {
            changed: self.changed.subscribe(),
            blind: self.blind.subscribe(),
            fence: self.clone(),
            instance,
            last: None,
            leadership: 0,
            closed: self.closed.clone(),
        };
        let lines = stream::unfold(open, |mut open| async move {
            let line = open.next().await?;
            Some((Ok::<Bytes, Infallible>(line), open))
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

/// Stream that is open.
struct FenceStream {
    fence: FencePublisher,
    instance: String,
    changed: watch::Receiver<u64>,
    blind: watch::Receiver<Option<Arc<str>>>,
    last: Option<FenceLine>,
    /// Leadership in which `last` was sent.
    leadership: u64,
    closed: CancellationToken,
}

impl FenceStream {
    /// Waits for the next line: at once the first time, then at a change or a beat.
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
                return self.send(line);
            }
            tokio::select! {
                () = self.closed.cancelled() => return None,
                () = &mut beat => return self.send(line),
                changed = self.changed.changed() => changed.ok()?,
                changed = self.blind.changed() => changed.ok()?,
            }
        }
    }

    fn send(&mut self, line: FenceLine) -> Option<Bytes> {
        if self.closed.is_cancelled() {
            return None;
        }
        let mut text = serde_json::to_vec(&line).ok()?;
        text.push(b'\n');
        self.last = Some(line);
        Some(Bytes::from(text))
    }
}
