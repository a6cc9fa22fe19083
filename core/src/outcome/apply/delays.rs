//! Delays after an outcome: next query, callback, acknowledgement.

use crate::backoff::backoff_us;
use crate::config::{CoreConfig, RecoveryConfig};
use crate::orders::Order;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// An order's event is published again on request once in this time, in µs.
pub const RENOTIFY_INTERVAL_US: i64 = 1_000_000;

/// Times that a channel which has an order is noted as heard, before its silence would be a
/// case.
const HEARD_PER_SILENCE: i64 = 8;

/// Delays that follow a move, in µs, from the settings.
#[derive(Debug, Clone, Default)]
pub struct OutcomeDelays {
    pub first_query_us: i64,
    pub callback_us: i64,
    /// A channel that has the order is noted as heard once in this time.
    pub heard_interval_us: i64,
    /// Each channel's quiet time. Of one that isn't configured "no such trade" is never
    /// believed.
    pub quiet_us: Arc<HashMap<String, i64>>,
    pub slow_queries: SlowQueries,
    pub ack_policy: AckPolicy,
}

impl OutcomeDelays {
    pub fn of(config: &CoreConfig) -> Self {
        let us = |ms: u64| i64::try_from(ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let quiet = config
            .channels
            .iter()
            .map(|c| (c.id.clone(), us(c.quiet_ms)));
        let (recovery, acknowledgement) = (&config.recovery, &config.acknowledgement);
        OutcomeDelays {
            first_query_us: us(recovery.query_initial_delay_ms),
            callback_us: us(recovery.callback_wait_ms),
            heard_interval_us: us(recovery.silence_case_after_ms) / HEARD_PER_SILENCE,
            quiet_us: Arc::new(quiet.collect()),
            slow_queries: SlowQueries::of(recovery),
            ack_policy: AckPolicy {
                clients: Arc::new(acknowledgement.clients.iter().cloned().collect()),
                first_us: us(acknowledgement.initial_delay_ms),
                max_delay_us: us(acknowledgement.max_delay_ms),
                max_notifications: acknowledgement.max_notifications.into(),
            },
        }
    }
}

/// Queries for an order that is a person's case: at growing intervals, for as long as it
/// lasts.
#[derive(Debug, Clone, Copy, Default)]
pub struct SlowQueries {
    pub first_us: i64,
    pub longest_us: i64,
}

impl SlowQueries {
    pub fn of(config: &RecoveryConfig) -> Self {
        let us = |ms: u64| i64::try_from(ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
        SlowQueries {
            first_us: us(config.query_max_delay_ms),
            longest_us: us(config.manual_query_max_delay_ms),
        }
    }

    /// Waits half as long again as the order has been out, within the bounds: no count has
    /// to be kept for it.
    pub fn wait_us(&self, order: &Order, now_us: i64) -> i64 {
        let out_us = now_us - order.send_by_us.unwrap_or(order.created_us);
        let wait_us = (out_us / 2).max(self.first_us).min(self.longest_us);
        backoff_us(wait_us, wait_us, order.queries, &order.order_id)
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
