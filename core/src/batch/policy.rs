//! Retry policies: how often each kind of batch is tried and how long it pauses. To
//! change a retry of the core, change it here.

use sluice_contract::sql::TRANSACTION_TIMEOUT;
use std::time::Duration;

const NO_LIMIT: Duration = Duration::MAX;

/// Tries and pauses of one kind of batch. Pauses double from try to try.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Tries in all; what is left then, somebody else finds: a caller's repeat, or
    /// recovery.
    pub max_attempts: u32,
    /// Pause after the first try, if the server rolled it back.
    pub conflict_delay: Duration,
    /// Pause after the first try, if its connection was lost.
    pub reconnect_delay: Duration,
    pub max_delay: Duration,
    /// Silence of one try that counts as a lost connection.
    pub attempt_timeout: Duration,
    /// All tries together, pauses included.
    pub total_timeout: Duration,
}

/// Accepting: tries over about 1.3 s before callers are told that the database is away,
/// which is less than their usual time-outs; over no more than one transaction's time if it
/// is silent.
pub const ACCEPT: RetryPolicy = RetryPolicy {
    max_attempts: 8,
    conflict_delay: Duration::from_millis(2),
    reconnect_delay: Duration::from_millis(10),
    max_delay: NO_LIMIT,
    attempt_timeout: TRANSACTION_TIMEOUT,
    total_timeout: TRANSACTION_TIMEOUT,
};

/// Accepting while the books are on other servers: a try goes on with the drive of what
/// it has written, which has bounds of its own, so only its transaction is timed.
pub const ACCEPT_SPLIT: RetryPolicy = RetryPolicy {
    attempt_timeout: NO_LIMIT,
    total_timeout: NO_LIMIT,
    ..ACCEPT
};

/// Outcomes: what is left after the last try, recovery asks for again.
pub const OUTCOME: RetryPolicy = RetryPolicy {
    max_attempts: 8,
    conflict_delay: Duration::from_millis(5),
    reconnect_delay: Duration::from_millis(5),
    max_delay: NO_LIMIT,
    attempt_timeout: TRANSACTION_TIMEOUT,
    total_timeout: NO_LIMIT,
};

/// Bookings at other servers: callers wait for all tries together, and recovery goes on
/// from there.
pub const SAGA: RetryPolicy = RetryPolicy {
    max_attempts: 6,
    conflict_delay: Duration::from_millis(20),
    reconnect_delay: Duration::from_millis(20),
    max_delay: NO_LIMIT,
    attempt_timeout: NO_LIMIT,
    total_timeout: Duration::from_secs(5),
};

/// Claims: a lost connection isn't tried again here, since claimed orders come up in
/// recovery, which asks the channel first, and the others by polling.
pub const CLAIM: RetryPolicy = RetryPolicy {
    max_attempts: 6,
    conflict_delay: Duration::from_millis(2),
    reconnect_delay: Duration::from_millis(2),
    max_delay: NO_LIMIT,
    attempt_timeout: NO_LIMIT,
    total_timeout: TRANSACTION_TIMEOUT,
};

/// Leases of recovery: the next round is the next try.
pub const LEASE: RetryPolicy = RetryPolicy {
    max_attempts: 1,
    conflict_delay: Duration::ZERO,
    reconnect_delay: Duration::ZERO,
    max_delay: NO_LIMIT,
    attempt_timeout: NO_LIMIT,
    total_timeout: NO_LIMIT,
};

/// Payments from Kafka: waited for however long it takes, since an offset that is passed
/// over is a payment that is lost.
pub const INTAKE: RetryPolicy = RetryPolicy {
    max_attempts: u32::MAX,
    conflict_delay: Duration::from_millis(50),
    reconnect_delay: Duration::from_millis(50),
    max_delay: Duration::from_secs(2),
    attempt_timeout: NO_LIMIT,
    total_timeout: NO_LIMIT,
};

impl RetryPolicy {
    /// The pause after try number `attempt`, counted from 0, that met a conflict.
    pub fn after_conflict(&self, attempt: u32) -> Duration {
        self.grown(self.conflict_delay, attempt)
    }

    /// The pause after try number `attempt`, counted from 0, that lost its connection.
    pub fn after_disconnect(&self, attempt: u32) -> Duration {
        self.grown(self.reconnect_delay, attempt)
    }

    fn grown(&self, first: Duration, attempt: u32) -> Duration {
        first
            .saturating_mul(2u32.saturating_pow(attempt))
            .min(self.max_delay)
    }
}
