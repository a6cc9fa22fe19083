//! Settings: a TOML file, two environment variables over it, secrets apart.

use crate::audit::settings::{AuditSettings as Snapshot, LostPositionPolicy};
use crate::binlog::hosts::ServerHosts;
use crate::binlog::settings::MysqlSourceSettings;
use crate::kafka::settings::KafkaSourceSettings;
use crate::recording::settings::{MIN_RECORDING_MB, RecordSettings};
use crate::rules::stream::workers::MAX_WORKERS;
use crate::stream::position::StartPosition;
use anyhow::{Context, bail};
use serde::Deserialize;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::{Secret, check_listener, load_toml, override_by};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Characters of the host's name in that of an instance, which has 32 at most.
const MAX_HOST_NAME_CHARS: usize = 11;
/// How often topics may be asked for new partitions: between a load on the brokers, and
/// money that waits for a partition that nobody reads yet.
const METADATA_MS_RANGE: std::ops::RangeInclusive<u64> = 100..=60_000;

/// Everything that can be set. Unknown keys are refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SidecarConfig {
    /// Admin, metrics and fence.
    #[serde(default = "default_listen")]
    pub listen: String,
    pub mysql: MysqlSourceSettings,
    #[serde(default)]
    pub kafka: KafkaSourceSettings,
    /// Keeps what was evaluated, for backtests.
    pub recording: Option<RecordSettings>,
    /// Threads that evaluate rules; findings are the same with any number.
    #[serde(default = "default_workers")]
    pub workers: usize,
    pub rules_dir: PathBuf,
    /// Holds `provenance_key` and `sidecar_token` unless they are in the environment.
    pub secrets_dir: Option<PathBuf>,
    /// Checkpoint and heartbeat interval.
    #[serde(default = "default_checkpoint_interval_ms")]
    pub checkpoint_interval_ms: u64,
    /// Past this the sidecar is blind: it does not know what happens now.
    #[serde(default = "default_max_lag_ms")]
    pub max_lag_ms: u64,
    /// Where to begin if there is no checkpoint: `now` or `oldest`.
    #[serde(default)]
    pub start: StartPosition,
    /// What to do once the binlog's position is gone: `check` the data at rest and read
    /// on, or `wait` for a person. The same for the first start at `now`.
    #[serde(default)]
    pub on_lost_position: LostPositionPolicy,
    #[serde(default)]
    pub audit: Snapshot,
    /// Name of this instance in the lease; at most 32 characters. No two sidecars that
    /// run have the same: who starts under a name takes over from its earlier life.
    /// Unset, it is another one with each start.
    #[serde(default = "default_instance")]
    pub instance: String,
}

/// What both the fence and rules keep from others.
#[derive(Debug, Clone)]
pub struct SidecarSecrets {
    pub provenance_key: Secret,
    pub sidecar_token: Secret,
}

fn default_listen() -> String {
    "127.0.0.1:7200".to_owned()
}

fn default_checkpoint_interval_ms() -> u64 {
    500
}

fn default_max_lag_ms() -> u64 {
    5_000
}

fn default_workers() -> usize {
    1
}

/// The end of the host's name, for people, and what no other process has: of two with one
/// name each would take the other's lease for that of its own earlier life.
fn default_instance() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_default();
    let host: Vec<char> = host.chars().filter(char::is_ascii_alphanumeric).collect();
    let end: String = host
        .iter()
        .skip(host.len().saturating_sub(MAX_HOST_NAME_CHARS))
        .collect();
    format!("sidecar-{end}-{:012x}", rand::random::<u64>() >> 16)
}

impl SidecarConfig {
    /// Reads and checks the file; every error names its key.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let mut config: SidecarConfig = load_toml(path)?;
        override_by(&mut config.mysql.url, "SLUICE_MYSQL_URL");
        override_by(&mut config.kafka.brokers, "SLUICE_KAFKA_BROKERS");
        for also in &mut config.mysql.book_servers {
            let variable = also.variable();
            override_by(&mut also.url, &variable);
        }
        config
            .check()
            .with_context(|| format!("{}", path.display()))?;
        Ok(config)
    }

    /// Refuses what can't work.
    pub fn check(&self) -> anyhow::Result<()> {
        self.listener()?;
        self.schemas()?;
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
        if !sluice_contract::ids::is_plain(&self.instance, sluice_contract::ids::MAX_ID_BYTES) {
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
        self.audit.check()?;
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

    /// Beyond loopback is fine: whatever changes something, and the fence, asks for the token.
    pub fn listener(&self) -> anyhow::Result<SocketAddr> {
        check_listener("listen", &self.listen, true)
    }

    pub fn schemas(&self) -> anyhow::Result<Schemas> {
        Schemas::under(&self.mysql.database).context("mysql.database")
    }

    pub fn secrets(&self) -> anyhow::Result<SidecarSecrets> {
        let dir = self.secrets_dir.as_deref();
        Ok(SidecarSecrets {
            provenance_key: Secret::load("provenance_key", dir)?,
            sidecar_token: Secret::load("sidecar_token", dir)?,
        })
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
