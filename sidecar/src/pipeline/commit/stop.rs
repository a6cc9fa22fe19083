//! Stop of the committer: it goes on until the queue before it is drained, but not for
//! ever.

use std::sync::OnceLock;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Time for the queue to drain after the stop. What is left is read again.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Stop token of a leadership, and the moment when its committer drops what is left.
#[derive(Debug, Default)]
pub struct CommitStop {
    token: CancellationToken,
    drain_until: OnceLock<Instant>,
}

impl CommitStop {
    pub fn new(token: CancellationToken) -> Self {
        CommitStop {
            token,
            drain_until: OnceLock::new(),
        }
    }

    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits for the stop, and then until the time to drain is over. Asked again it is the
    /// same moment.
    pub async fn drain_over(&self) {
        self.token.cancelled().await;
        let until = self
            .drain_until
            .get_or_init(|| Instant::now() + DRAIN_TIMEOUT);
        tokio::time::sleep_until(*until).await;
    }
}
