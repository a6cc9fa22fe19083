//! Metrics of the outbox and the relay that publishes it.

use prometheus::{IntCounter, IntGauge, register_int_counter, register_int_gauge};

/// Transactions whose events wait, and events that the relay has published.
pub struct OutboxMetrics {
    pub rows: IntGauge,
    pub oldest: IntGauge,
    pub published: IntCounter,
    pub failures: IntCounter,
    pub quarantined: IntCounter,
    pub archived: IntCounter,
    pub unclaimed: IntGauge,
}

pub(super) fn register() -> prometheus::Result<OutboxMetrics> {
    Ok(OutboxMetrics {
        rows: register_int_gauge!(
            "sluice_core_outbox_rows",
            "Transactions whose events are not published yet, counted up to 100000"
        )?,
        oldest: register_int_gauge!(
            "sluice_core_outbox_oldest_seconds",
            "Age of the oldest unpublished transaction"
        )?,
        published: register_int_counter!(
            "sluice_core_published_events_total",
            "Events acknowledged by Kafka"
        )?,
        failures: register_int_counter!(
            "sluice_core_publish_failures_total",
            "Rounds of the relay that Kafka or the database failed"
        )?,
        quarantined: register_int_counter!(
            "sluice_core_outbox_quarantined_total",
            "Transactions whose events can't be published: a case each"
        )?,
        archived: register_int_counter!(
            "sluice_core_outbox_archived_total",
            "Transactions that left the outbox unpublished, for want of brokers"
        )?,
        unclaimed: register_int_gauge!(
            "sluice_core_outbox_unclaimed_rows",
            "Aged transactions that only a core with brokers may publish while none runs, counted up to a page"
        )?,
    })
}
