//! Giving way: sending waits for the stream of changes, and an audit reads the same server and
//! needs the same processors. It does not wait for ever: a stream that is never caught up must
//! not leave data at rest unchecked.

use crate::audit::AuditReason;
use crate::audit::audit_context::AuditContext;
use sluice_contract::clock::now_us;
use std::time::Duration;

/// Interval at which a run asks whether the stream has caught up.
const CAUGHT_UP_INTERVAL: Duration = Duration::from_millis(100);
/// A run that is due waits for this part of its period, in all.
const WAITS_PER_PERIOD: u32 = 4;
/// A run that somebody asked for waits so long, in all.
const MAX_WAIT_ON_DEMAND: Duration = Duration::from_secs(300);
/// Longest wait between two chunks.
const MAX_WAIT_PER_CHUNK: Duration = Duration::from_secs(30);

/// Time that a run may still wait for the stream; then it goes on, chunk by chunk as ever.
#[derive(Debug, Clone, Copy)]
pub struct StreamPatience {
    left: Duration,
    is_said: bool,
}

impl StreamPatience {
    /// A run that closes a gap has none: nothing is read until that one is done.
    pub fn of(reason: AuditReason, period: Duration) -> StreamPatience {
        let left = match reason {
            AuditReason::Schedule => period / WAITS_PER_PERIOD,
            AuditReason::Demand => MAX_WAIT_ON_DEMAND,
            AuditReason::Gap => Duration::ZERO,
        };
        StreamPatience {
            left,
            is_said: false,
        }
    }

    /// Waits before the run while the stream is behind what was committed a moment ago.
    pub async fn wait_to_begin(&mut self, context: &AuditContext) {
        self.wait_in(context, self.left).await;
    }

    /// Waits likewise between two chunks.
    pub async fn wait_for_chunk(&mut self, context: &AuditContext) {
        self.wait_in(context, MAX_WAIT_PER_CHUNK).await;
    }

    async fn wait_in(&mut self, context: &AuditContext, most: Duration) {
        let is_behind = || context.health.status.read().is_behind(now_us());
        let show = |waits| {
            context.handle.update(|note| note.waits_for_stream = waits);
        };
        self.wait(most, is_behind, show).await;
    }

    async fn wait(&mut self, most: Duration, is_behind: impl Fn() -> bool, show: impl Fn(bool)) {
        let mut most = most.min(self.left);
        if most.is_zero() || !is_behind() {
            return;
        }
        if !std::mem::replace(&mut self.is_said, true) {
            tracing::info!(
                at_most_s = self.left.as_secs(),
                "the check of data at rest waits until the stream has caught up"
            );
        }
        show(true);
        while !most.is_zero() && is_behind() {
            tokio::time::sleep(CAUGHT_UP_INTERVAL).await;
            most = most.saturating_sub(CAUGHT_UP_INTERVAL);
            self.left = self.left.saturating_sub(CAUGHT_UP_INTERVAL);
        }
        show(false);
        if self.left.is_zero() {
            tracing::warn!("the stream has not caught up; data at rest is checked all the same");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    #[tokio::test]
    async fn a_stream_that_never_catches_up_is_not_waited_for_for_ever() {
        let mut patience = StreamPatience {
            left: Duration::from_millis(500),
            is_said: false,
        };
        let (asked, shown) = (Cell::new(0), RefCell::new(Vec::new()));
        let is_behind = || {
            asked.set(asked.get() + 1);
            true
        };
        let show = |waits| shown.borrow_mut().push(waits);
        // A chunk's share of it, then all that is left, then nothing any more.
        patience
            .wait(Duration::from_millis(200), is_behind, show)
            .await;
        assert_eq!(patience.left, Duration::from_millis(300));
        patience.wait(MAX_WAIT_PER_CHUNK, is_behind, show).await;
        let asked_before = asked.get();
        patience.wait(MAX_WAIT_PER_CHUNK, is_behind, show).await;
        assert_eq!((patience.left, asked.get()), (Duration::ZERO, asked_before));
        assert_eq!(*shown.borrow(), [true, false, true, false]);
    }

    #[test]
    fn each_reason_has_its_patience() {
        let hour = Duration::from_secs(3_600);
        let left = |reason| StreamPatience::of(reason, hour).left;
        assert_eq!(left(AuditReason::Schedule), hour / 4);
        assert_eq!(left(AuditReason::Demand), MAX_WAIT_ON_DEMAND);
        assert_eq!(left(AuditReason::Gap), Duration::ZERO);
    }
}
