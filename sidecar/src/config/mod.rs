//! Settings: a TOML file, two environment variables over it, secrets by themselves.

mod backtest_keys;
mod check;
mod defaults;
mod secrets;
#[cfg(test)]
mod tests;

pub use crate::config::backtest_keys::BacktestKeys;
pub use crate::config::secrets::SidecarSecrets;

use crate::audit::settings::{AuditSettings as Snapshot, LostPositionPolicy};
use crate::binlog::settings::MysqlSourceSettings;
use crate::kafka::settings::KafkaSourceSettings;
use crate::recording::settings::RecordSettings;
use crate::retention::settings::RetentionSettings;
use crate::state_file::settings::StateSettings;
use crate::stream::position::StartPosition;
use crate::workflow::settings::{RuleCostSettings, SuppressSettings};
use anyhow::Context;
use serde::Deserialize;
use sluice_contract::listener::ListenerSettings;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::{load_toml, override_by};
use sluice_contract::traces::TraceSettings;
use sluice_contract::vault::VaultSettings;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Everything that can be set. Unknown keys are refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SidecarConfig {
    /// Admin, metrics and fence.
    #[serde(default = "defaults::default_listen")]
    pub listen: String,
    /// Bounds and TLS of the listener.
    #[serde(default = "defaults::default_listener")]
    pub listener: ListenerSettings,
    pub mysql: MysqlSourceSettings,
    #[serde(default)]
    pub kafka: KafkaSourceSettings,
    /// Keeps what was evaluated, for backtests.
    pub recording: Option<RecordSettings>,
    /// Threads that evaluate rules; findings are the same with any number.
    #[serde(default = "defaults::default_workers")]
    pub workers: usize,
    pub rules_dir: PathBuf,
    /// Costs of a rule, and length of its trial.
    #[serde(default)]
    pub rules: RuleCostSettings,
    /// Bounds of a suppression on one person's word.
    #[serde(default)]
    pub suppress: SuppressSettings,
    /// Holds `provenance_key` and `sidecar_token` unless they are in the environment.
    pub secrets_dir: Option<PathBuf>,
    /// Names of the secrets that were `provenance_key` before: ledger entries that were sealed
    /// with them hold.
    #[serde(default)]
    pub provenance_keys_retired: Vec<String>,
    /// Believes transactions with a MAC as well, while cores without a key pair still run.
    /// Without any public key nothing else can be believed.
    #[serde(default)]
    pub accept_transaction_macs: bool,
    /// Refuses to start without a public key, or with MACs accepted beside them: pairs are in
    /// force, and a file that is gone must not bring back what the sidecar's own key can sign.
    #[serde(default)]
    pub require_transaction_pairs: bool,
    /// Source of the secrets that are neither in the environment nor in `secrets_dir`.
    pub vault: Option<VaultSettings>,
    /// Checkpoint and heartbeat interval.
    #[serde(default = "defaults::default_checkpoint_interval_ms")]
    pub checkpoint_interval_ms: u64,
    /// Past this the sidecar is blind: it does not know what happens now.
    #[serde(default = "defaults::default_max_lag_ms")]
    pub max_lag_ms: u64,
    /// Begin of reading if there is no checkpoint: `now` or `oldest`.
    #[serde(default)]
    pub start: StartPosition,
    /// Policy once the binlog's position is gone: `wait` for a person, or `check` the data at
    /// rest, trip every point, and read on. A first start at `now` checks in either case.
    #[serde(default)]
    pub on_lost_position: LostPositionPolicy,
    #[serde(default)]
    pub audit: Snapshot,
    /// Ages at which rows of the guard schema go.
    #[serde(default)]
    pub retention: RetentionSettings,
    /// Memory of windows and pairs, and the file that a restart goes on from.
    #[serde(default)]
    pub state: StateSettings,
    /// Export of traces; off unless it names an endpoint.
    #[serde(default)]
    pub traces: TraceSettings,
    /// Name of this instance in the lease; at most 32 characters. No two sidecars that
    /// run have the same: who starts under a name takes over from its earlier life.
    /// Unset, it is another one with each start.
    #[serde(default = "defaults::default_instance")]
    pub instance: String,
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

    /// Beyond loopback everything asks for a token.
    pub fn listen_address(&self) -> anyhow::Result<SocketAddr> {
        self.listener
            .check("listener", "listen", &self.listen, true)
    }

    pub fn schemas(&self) -> anyhow::Result<Schemas> {
        Schemas::under(&self.mysql.database).context("mysql.database")
    }
}
