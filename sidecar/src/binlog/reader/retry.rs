//! Reading for ever: how a stop is answered, and when the next attempt follows.

use crate::binlog::hosts::HostChoice;
use crate::binlog::reader::BinlogReader;
use crate::binlog::reader::stop::BinlogStop;
use crate::health::blind::BlindCause;
use crate::stream::position::StartPosition;
use std::time::{Duration, Instant};

/// Reconnect at once, then more slowly.
const RECONNECT_BACKOFF: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_secs(2));
/// Without a connection for this long the sidecar is blind.
const BLIND_AFTER_DOWN: Duration = Duration::from_secs(1);
/// An unreadable event or a lost position is tried again after this time.
const UNREADABLE_RETRY_DELAY: Duration = Duration::from_secs(5);
impl BinlogReader {
    pub(super) async fn read_for_ever(&mut self) {
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
}
