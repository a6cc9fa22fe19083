//! Settings: a TOML file, two environment variables over it, secrets apart.

use crate::sources::Start;
use anyhow::{Context, bail};
use serde::Deserialize;
use sluice_contract::event::BUSINESS_TOPICS;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::{Secret, check_listener, load_toml, override_by};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Everything that can be set. Unknown keys are refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Admin, metrics and fence.
    #[serde(default = "default_listen")]
    pub listen: String,
    pub mysql: Mysql,
    #[serde(default)]
    pub kafka: Kafka,
    pub rules_dir: PathBuf,
    /// Holds `provenance_key` and `sidecar_token` unless they are in the environment.
    pub secrets_dir: Option<PathBuf>,
    /// Checkpoint and heartbeat interval.
    #[serde(default = "default_checkpoint_ms")]
    pub checkpoint_ms: u64,
    /// Past this the sidecar is blind: it does not know what happens now.
    #[serde(default = "default_max_lag_ms")]
    pub max_lag_ms: u64,
    /// Where to begin if there is no checkpoint: `now` or `oldest`.
    #[serde(default)]
    pub start: Start,
    /// Name of this instance in the lease; at most 32 characters.
    #[serde(default = "default_instance")]
    pub instance: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mysql {
    /// `mysql://user:password@host:port`
    #[serde(default)]
    pub url: String,
    /// Base name of the four schemas.
    #[serde(default = "default_database")]
    pub database: String,
    /// The core keeps balance or ledger on a server of its own. What they write is
    /// not in this binlog, so rules that look at them are set to `draft`.
    #[serde(default)]
    pub books_apart: bool,
    /// This sidecar as a replica; unique among all replicas of the server.
    #[serde(default = "default_server_id")]
    pub server_id: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kafka {
    /// `host:port,…`; empty for none.
    pub brokers: String,
    /// Consumer group: it is told what is committed; partitions are assigned by hand.
    pub group: String,
    pub topics: Vec<String>,
    /// Longest wait of one fetch.
    pub fetch_wait_ms: u32,
    /// How often new partitions are looked for.
    pub metadata_ms: u64,
    /// Read the database's changes from here instead of from its binlog.
    pub changes: Option<Changes>,
}

/// A connector's change feed in Debezium's envelope.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// The connector's `topic.prefix`.
    pub prefix: String,
}

impl Default for Kafka {
    fn default() -> Self {
        Kafka {
            brokers: String::new(),
            group: "sluice-sidecar".to_owned(),
            topics: BUSINESS_TOPICS.map(str::to_owned).to_vec(),
            fetch_wait_ms: 5,
            metadata_ms: 3_000,
            changes: None,
        }
    }
}

/// What both the fence and rules keep from others.
#[derive(Debug, Clone)]
pub struct Secrets {
    pub provenance_key: Secret,
    pub sidecar_token: Secret,
}

fn default_listen() -> String {
    "127.0.0.1:7200".to_owned()
}

fn default_checkpoint_ms() -> u64 {
    500
}

fn default_max_lag_ms() -> u64 {
    5_000
}

fn default_database() -> String {
    "sluice".to_owned()
}

/// High, so that it meets no hand-numbered replica, and different per process.
fn default_server_id() -> u32 {
    3_000_000_000 + std::process::id() % 1_000_000_000
}

fn default_instance() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_default();
    let host: String = host.chars().filter(char::is_ascii_alphanumeric).take(18).collect();
    format!("sidecar-{host}{}", std::process::id()).chars().take(32).collect()
}

impl Config {
    /// Reads and checks the file; every error names its key.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let mut config: Config = load_toml(path)?;
        override_by(&mut config.mysql.url, "SLUICE_MYSQL_URL");
        override_by(&mut config.kafka.brokers, "SLUICE_KAFKA_BROKERS");
        config.check().with_context(|| format!("{}", path.display()))?;
        Ok(config)
    }

    /// Refuses what can't work.
    pub fn check(&self) -> anyhow::Result<()> {
        self.listener()?;
        self.schemas()?;
        if self.mysql.url.is_empty() {
            bail!("mysql.url is not set; write it or set SLUICE_MYSQL_URL");
        }
        sluice_contract::sql::options(&self.mysql.url)?;
        if self.mysql.server_id == 0 {
            bail!("mysql.server_id is 0, which no replica may use; take any free number");
        }
        if !(50..=5_000).contains(&self.checkpoint_ms) {
            bail!("checkpoint_ms = {} is not within 50 and 5000; the lease lasts 5 s", self.checkpoint_ms);
        }
        if self.max_lag_ms < self.checkpoint_ms.saturating_mul(2) {
            bail!(
                "max_lag_ms = {} is below two checkpoints of {} ms; every beat would look late",
                self.max_lag_ms,
                self.checkpoint_ms
            );
        }
        if !sluice_contract::ids::is_plain(&self.instance, sluice_contract::ids::MAX_ID) {
            bail!("instance = {:?}: use 1 to 32 letters, digits and _ - . :", self.instance);
        }
        if let Some(changes) = &self.kafka.changes {
            if self.kafka.brokers.is_empty() {
                bail!("kafka.changes is set and kafka.brokers is not; write it or set SLUICE_KAFKA_BROKERS");
            }
            let part = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
            if changes.prefix.is_empty() || !changes.prefix.bytes().all(part) {
                bail!("kafka.changes.prefix = {:?}: write the connector's topic.prefix", changes.prefix);
            }
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

    pub fn secrets(&self) -> anyhow::Result<Secrets> {
        let dir = self.secrets_dir.as_deref();
        Ok(Secrets {
            provenance_key: Secret::load("provenance_key", dir)?,
            sidecar_token: Secret::load("sidecar_token", dir)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "rules_dir = 'rules'\n[mysql]\nurl = 'mysql://root@127.0.0.1:3306'\n";

    fn error_of(text: &str) -> String {
        let parsed = toml::from_str::<Config>(text).map_err(anyhow::Error::from);
        parsed.and_then(|c| c.check()).err().map(|e| format!("{e:#}")).unwrap_or_default()
    }

    #[test]
    fn wrong_settings_name_their_key() {
        let cases = [
            (GOOD.to_owned(), ""),
            (format!("{GOOD}urll = 1\n"), "urll"),
            (format!("lisen = 'x'\n{GOOD}"), "lisen"),
            (format!("listen = 'nowhere'\n{GOOD}"), "listen"),
            (format!("checkpoint_ms = 1\n{GOOD}"), "checkpoint_ms"),
            (format!("max_lag_ms = 600\n{GOOD}"), "max_lag_ms"),
            (format!("instance = 'a b'\n{GOOD}"), "instance"),
            (format!("start = 'later'\n{GOOD}"), "start"),
            (format!("{GOOD}server_id = 0\n"), "mysql.server_id"),
            (format!("{GOOD}database = 'a-b'\n"), "mysql.database"),
            (format!("{GOOD}[kafka]\ntopics = ['a=b']\n"), "kafka.topics"),
            (format!("{GOOD}[kafka]\nbroker = 'x'\n"), "broker"),
            (format!("{GOOD}[kafka.changes]\nprefix = 'bank'\n"), "kafka.brokers"),
            (format!("{GOOD}[kafka]\nbrokers = 'b:1'\n[kafka.changes]\nprefix = 'a b'\n"), "kafka.changes.prefix"),
            (format!("{GOOD}[kafka]\nbrokers = 'b:1'\n[kafka.changes]\nprefix = 'bank'\n"), ""),
            ("rules_dir = 'r'\n[mysql]\nurl = 'pg://x'\n".to_owned(), "mysql.url"),
            ("[mysql]\n".to_owned(), "rules_dir"),
        ];
        for (text, key) in cases {
            let error = error_of(&text);
            assert!(error.contains(key) && error.is_empty() == key.is_empty(), "{text} gave {error}");
        }
    }
}
