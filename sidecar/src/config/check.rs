//! Checks of the settings: contradictions are refused at the start, by the key's name.

use crate::binlog::hosts::ServerHosts;
use crate::config::SidecarConfig;
use crate::recording::settings::MIN_RECORDING_MB;
use crate::rules::stream::workers::MAX_WORKERS;
use anyhow::bail;
use sluice_contract::ids::{MAX_ID_BYTES, is_plain};
use sluice_contract::settings::in_range;
use sluice_contract::vault::VaultSettings;

/// Bounds of the interval at which topics are asked for new partitions, in ms: below them
/// it is a load on the brokers, above them money waits for a partition that nobody reads yet.
const METADATA_MS_RANGE: std::ops::RangeInclusive<u64> = 100..=60_000;

impl SidecarConfig {
    /// Refuses what can't work.
    ///
    /// # Errors
    /// The first key that is wrong, by its name.
    pub fn check(&self) -> anyhow::Result<()> {
        self.listen_address()?;
        self.schemas()?;
        self.vault.as_ref().map_or(Ok(()), VaultSettings::check)?;
        if self.require_transaction_pairs && self.accept_transaction_macs {
            bail!(
                "require_transaction_pairs and accept_transaction_macs contradict each other: take the second out once all cores have a pair"
            );
        }
        self.check_mysql()?;
        self.check_intervals()?;
        if !is_plain(&self.instance, MAX_ID_BYTES) {
            bail!(
                "instance = {:?}: use 1 to 32 letters, digits and _ - . :",
                self.instance
            );
        }
        if !(1..=MAX_WORKERS).contains(&self.workers) {
            bail!(
                "workers = {} is not within 1 and {MAX_WORKERS}",
                self.workers
            );
        }
        if let Some(record) = self
            .recording
            .as_ref()
            .filter(|record| record.max_mb < MIN_RECORDING_MB)
        {
            bail!(
                "recording.max_mb = {} is below {MIN_RECORDING_MB}; a recording of less is hardly one",
                record.max_mb
            );
        }
        self.rules.check()?;
        self.suppress.check()?;
        self.audit.check()?;
        self.retention.check()?;
        self.state.check()?;
        self.traces.check()?;
        self.check_kafka()
    }

    fn check_mysql(&self) -> anyhow::Result<()> {
        if self.mysql.url.is_empty() {
            bail!("mysql.url is not set; write it or set SLUICE_MYSQL_URL");
        }
        self.mysql.check_also()?;
        for (name, url) in self.mysql.urls() {
            ServerHosts::new(name, url, 1)?;
        }
        if self.mysql.server_id == 0 {
            bail!("mysql.server_id is 0, which no replica may use; take any free number");
        }
        Ok(())
    }

    fn check_intervals(&self) -> anyhow::Result<()> {
        if !(50..=5_000).contains(&self.checkpoint_interval_ms) {
            bail!(
                "checkpoint_interval_ms = {} is not within 50 and 5000; the lease lasts 5 s",
                self.checkpoint_interval_ms
            );
        }
        if self.max_lag_ms < self.checkpoint_interval_ms.saturating_mul(2) {
            bail!(
                "max_lag_ms = {} is below two checkpoints of {} ms; every beat would look late",
                self.max_lag_ms,
                self.checkpoint_interval_ms
            );
        }
        // Longer would be no alarm; and a wait beyond it is a broker's own limit.
        in_range("max_lag_ms", self.max_lag_ms, 100..=3_600_000)?;
        let wait = self.kafka.fetch_wait_ms.into();
        in_range("kafka.fetch_wait_ms", wait, 1..=10_000)?;
        let minutes = self.audit.interval_minutes.into();
        in_range("audit.interval_minutes", minutes, 0..=525_600)?;
        let rows = self.audit.max_rows_per_second;
        in_range("audit.max_rows_per_second", rows, 1..=100_000_000)?;
        let recording = self.recording.as_ref();
        recording.map_or(Ok(()), |record| {
            in_range("recording.max_mb", record.max_mb, 1..=100_000_000)
        })
    }

    fn check_kafka(&self) -> anyhow::Result<()> {
        if let Some(changes) = &self.kafka.changes {
            if self.kafka.brokers.is_empty() {
                bail!(
                    "kafka.changes is set and kafka.brokers is not; write it or set SLUICE_KAFKA_BROKERS"
                );
            }
            let part = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
            if changes.prefix.is_empty() || !changes.prefix.bytes().all(part) {
                bail!(
                    "kafka.changes.prefix = {:?}: write the connector's topic.prefix",
                    changes.prefix
                );
            }
        }
        self.kafka.security.check(&self.kafka.brokers)?;
        if !METADATA_MS_RANGE.contains(&self.kafka.metadata_interval_ms) {
            bail!(
                "kafka.metadata_interval_ms = {} is not within 100 and 60000",
                self.kafka.metadata_interval_ms
            );
        }
        let broken = |topic: &&String| topic.is_empty() || topic.contains(['=', ';', ',']);
        if let Some(topic) = self.kafka.topics.iter().find(broken) {
            bail!("kafka.topics holds {topic:?}, which is no topic name");
        }
        Ok(())
    }
}
