//! Settings of retention: what is deleted once nobody needs it, never money.

use anyhow::ensure;
use serde::Deserialize;
use std::time::Duration;

/// Ages in days at which rows go; 0 keeps them for ever.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Minutes after which unpublished events leave the outbox for the archive, while
    /// `kafka.brokers` is empty.
    pub outbox_minutes: u64,
    /// Whether they do so too after a core has published: no core has brokers any more.
    pub outbox_gives_up: bool,
    /// Events archived for want of brokers.
    pub outbox_archive_days: u64,
    /// Histories of orders that have ended. They are evidence: the core's database user may
    /// not delete them unless it is given that right, see `scripts/users.sql`.
    pub transition_days: u64,
    /// Cumulative totals of limits.
    pub limit_total_days: u64,
    /// Cases that were closed.
    pub case_days: u64,
    /// Fence tokens of cores that are gone.
    pub fence_token_days: u64,
    /// Pause between two rounds, in seconds.
    pub interval_s: u64,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        RetentionConfig {
            outbox_minutes: 60,
            outbox_gives_up: false,
            outbox_archive_days: 7,
            transition_days: 0,
            limit_total_days: 800,
            case_days: 400,
            fence_token_days: 7,
            interval_s: 60,
        }
    }
}

/// Least age of a history or a case that may be deleted: a payment comes back for months.
const MIN_DAYS: u64 = 30;
/// Least age of totals: months are counted, and a payment that came back gives its month back.
const MIN_TOTAL_DAYS: u64 = 62;

impl RetentionConfig {
    pub fn outbox_archive_after(&self) -> Duration {
        Duration::from_secs(self.outbox_minutes * 60)
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        let at_least = |name: &str, days: u64, min: u64| {
            ensure!(
                days == 0 || (min..=36_500).contains(&days),
                "retention.{name} must be 0 (for ever) or {min} to 36500"
            );
            Ok(())
        };
        at_least("outbox_archive_days", self.outbox_archive_days, 1)?;
        at_least("transition_days", self.transition_days, MIN_DAYS)?;
        at_least("limit_total_days", self.limit_total_days, MIN_TOTAL_DAYS)?;
        at_least("case_days", self.case_days, MIN_DAYS)?;
        at_least("fence_token_days", self.fence_token_days, 1)?;
        ensure!(
            (1..=86_400).contains(&self.interval_s),
            "retention.interval_s must be 1 to 86400"
        );
        ensure!(
            (1..=525_600).contains(&self.outbox_minutes),
            "retention.outbox_minutes must be 1 to 525600"
        );
        Ok(())
    }
}
