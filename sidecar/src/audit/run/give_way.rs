//! Giving way: sending waits for the stream of changes, and an audit reads the same server and
//! needs the same processors.

use crate::health::Health;
use sluice_contract::clock::now_us;
use std::time::Duration;

/// Interval at which a run asks whether the stream has caught up.
const CAUGHT_UP_INTERVAL: Duration = Duration::from_millis(100);

/// Waits while the stream is behind what was committed a moment ago. Not for a run that closes
/// a gap: nothing is read until that one is done.
pub async fn give_way(health: &Health) {
    while health.status.read().is_behind(now_us()) {
        tokio::time::sleep(CAUGHT_UP_INTERVAL).await;
    }
}
