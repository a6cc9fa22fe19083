//! Delays after an outcome: next query, callback, acknowledgement.

use crate::backoff::backoff_us;
use crate::config::CoreConfig;
use std::collections::HashSet;
use std::sync::Arc;

/// An order's event is published again on request once in this time, in µs.
pub const RENOTIFY_INTERVAL_US: i64 = 1_000_000;

/// Delays that follow a move, in µs, from the settings.
#[derive(Debug, Clone, Default)]
pub struct OutcomeDelays {
    pub first_query_us: i64,
    pub callback_us: i64,
    pub ack_policy: AckPolicy,
}

impl OutcomeDelays {
    pub fn of(config: &CoreConfig) -> Self {
        let us = |ms: u64| i64::try_from(ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let (recovery, acknowledgement) = (&config.recovery, &config.acknowledgement);
        OutcomeDelays {
            first_query_us: us(recovery.query_initial_delay_ms),
            callback_us: us(recovery.callback_wait_ms),
            ack_policy: AckPolicy {
                clients: Arc::new(acknowledgement.clients.iter().cloned().collect()),
                first_us: us(acknowledgement.initial_delay_ms),
                max_delay_us: us(acknowledgement.max_delay_ms),
                max_notifications: acknowledgement.max_notifications.into(),
            },
        }
    }
}

/// Stage 4: clients that must acknowledge the ends of their orders, and the repeats
/// until then.
#[derive(Debug, Clone, Default)]
pub struct AckPolicy {
    pub clients: Arc<HashSet<String>>,
    pub first_us: i64,
    pub max_delay_us: i64,
    pub max_notifications: i64,
}

impl AckPolicy {
    /// Waits for the acknowledgement after this many repeats: doubles each time.
    pub fn wait_us(&self, order_id: &str, repeats: i64) -> i64 {
        backoff_us(self.first_us, self.max_delay_us, repeats, order_id)
    }
}
