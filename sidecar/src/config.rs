//! Settings: a TOML file, two environment variables over it, secrets apart.

use crate::recording::write::LEAST_MB;
use crate::rules::workers::MOST_WORKERS;
use crate::snapshot::settings::{OnLost, Settings as Snapshot};
use crate::sources::Start;
use crate::sources::hosts::Hosts;
use anyhow::{Context, bail};
use serde::Deserialize;
use sluice_contract::event::BUSINESS_TOPICS;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::{Secret, check_listener, load_toml, override_by};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Characters of the host's name in that of an instance, which has 32 at most.
const MOST_HOST: usize = 11;
/// How often topics may be asked for new partitions: between a load on the brokers, and
/// money that waits for a partition that nobody reads yet.
const METADATA_MS: std::ops::RangeInclusive<u64> = 100..=60_000;

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
    /// Keeps what was evaluated, for backtests.
    pub recording: Option<Record>,
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
    pub start: Start,
    /// What to do once the binlog's position is gone: `check` the data at rest and read
    /// on, or `wait` for a person. The same for the first start at `now`.
    #[serde(default)]
    pub on_lost_position: OnLost,
    #[serde(default)]
    pub audit: Snapshot,
    /// Name of this instance in the lease; at most 32 characters. No two sidecars that
    /// run have the same: who starts under a name takes over from its earlier life.
    /// Unset, it is another one with each start.
    #[serde(default = "default_instance")]
    pub instance: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mysql {
    /// `mysql://user:password@host:port`; several hosts with commas between them are a
    /// primary and those that may be promoted. `?tls_ca=FILE` at the end: encrypted,
    /// with a certificate of that authority for the host's name.
    #[serde(default)]
    pub url: String,
    /// Base name of the four schemas.
    #[serde(default = "default_database")]
    pub database: String,
    /// The core keeps balance and ledger on servers of their own. Rules that look at
    /// those of them that `book_servers` does not name are set to `draft`: nobody reads them.
    #[serde(default)]
    pub split_books: bool,
    /// Other servers, read beside this one.
    #[serde(default)]
    pub book_servers: Vec<Also>,
    /// This sidecar as a replica; unique among all replicas of the server.
    #[serde(default = "default_server_id")]
    pub server_id: u32,
}

/// Another server, with balance, ledger or both.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Also {
    /// In positions, checkpoints and metrics: letters, digits, `_` and `-`, at most 32.
    pub name: String,
    /// As `mysql.url`, here or in `SLUICE_<NAME>_URL`.
    #[serde(default)]
    pub url: String,
    pub schemas: Vec<Book>,
}

/// A schema that can be on a server of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Book {
    Balance,
    Ledger,
}

impl Book {
    pub fn as_str(self) -> &'static str {
        match self {
            Book::Balance => "balance",
            Book::Ledger => "ledger",
        }
    }
}

impl Mysql {
    /// Logical names of the schemas on the server `book_servers`, or on the first one.
    pub fn schemas_of(&self, also: Option<&Also>) -> Vec<&'static str> {
        let elsewhere = |book: &&str| {
            self.book_servers
                .iter()
                .flat_map(|a| &a.schemas)
                .any(|b| b.as_str() == *book)
        };
        match also {
            Some(also) => also.schemas.iter().map(|b| b.as_str()).collect(),
            None => ["orders", "balance", "ledger", "guard"]
                .into_iter()
                .filter(|book| !elsewhere(book))
                .collect(),
        }
    }

    /// The number of the server that a watched table's rows are read from; None if
    /// nobody reads them. The outbox is on each.
    pub fn server_of(&self, table: &str) -> Option<usize> {
        let book = match table {
            "balance" | "capture" => Book::Balance,
            "entry" => Book::Ledger,
            _ => return Some(0),
        };
        let also = self
            .book_servers
            .iter()
            .position(|a| a.schemas.contains(&book))
            .map(|at| at + 1);
        also.or((!self.split_books).then_some(0))
    }

    fn urls(&self) -> impl Iterator<Item = (&'static str, &str)> {
        std::iter::once(("mysql.url", self.url.as_str())).chain(
            self.book_servers
                .iter()
                .map(|a| ("mysql.book_servers.url", a.url.as_str())),
        )
    }

    fn check_also(&self) -> anyhow::Result<()> {
        for (at, also) in self.book_servers.iter().enumerate() {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
            if also.name.is_empty() || also.name.len() > 32 || !also.name.bytes().all(plain) {
                bail!(
                    "mysql.book_servers.name = {:?}: use 1 to 32 letters, digits, _ and -",
                    also.name
                );
            }
            let before = &self.book_servers[..at];
            if before.iter().any(|b| b.name == also.name) {
                bail!("mysql.book_servers.name = {:?} is there twice", also.name);
            }
            if also.url.is_empty() {
                bail!(
                    "mysql.book_servers.url of {:?} is not set; write it or set {}",
                    also.name,
                    also.variable()
                );
            }
            if also.schemas.is_empty() {
                bail!(
                    "mysql.book_servers.schemas of {:?} is empty: balance, ledger or both",
                    also.name
                );
            }
            let taken = |book: &&Book| before.iter().any(|b| b.schemas.contains(book));
            if let Some(book) = also.schemas.iter().find(taken) {
                bail!(
                    "mysql.book_servers.schemas: {} is on two servers",
                    book.as_str()
                );
            }
        }
        Ok(())
    }
}

impl Also {
    fn variable(&self) -> String {
        format!(
            "SLUICE_{}_URL",
            self.name.to_ascii_uppercase().replace('-', "_")
        )
    }
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
    pub metadata_interval_ms: u64,
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
            metadata_interval_ms: 3_000,
            changes: None,
        }
    }
}

/// Where and how much to record.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// A folder of its own; made if it isn't there.
    pub dir: PathBuf,
    /// MiB; the oldest part goes.
    #[serde(default = "default_max_mb")]
    pub max_mb: u64,
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

fn default_checkpoint_interval_ms() -> u64 {
    500
}

fn default_max_lag_ms() -> u64 {
    5_000
}

fn default_workers() -> usize {
    1
}

/// Some twenty million row changes.
fn default_max_mb() -> u64 {
    1_024
}

fn default_database() -> String {
    "sluice".to_owned()
}

/// High, so that it meets no hand-numbered replica. Random: in containers every process
/// has the same few ids, and a server throws out one of two replicas with one number.
fn default_server_id() -> u32 {
    rand::random_range(3_000_000_000..4_000_000_000)
}

/// The end of the host's name, for people, and what no other process has: of two with one
/// name each would take the other's lease for that of its own earlier life.
fn default_instance() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_default();
    let host: Vec<char> = host.chars().filter(char::is_ascii_alphanumeric).collect();
    let end: String = host
        .iter()
        .skip(host.len().saturating_sub(MOST_HOST))
        .collect();
    format!("sidecar-{end}-{:012x}", rand::random::<u64>() >> 16)
}

impl Config {
    /// Reads and checks the file; every error names its key.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let mut config: Config = load_toml(path)?;
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
            Hosts::new(name, url, 1)?;
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
        if !sluice_contract::ids::is_plain(&self.instance, sluice_contract::ids::MAX_ID) {
            bail!(
                "instance = {:?}: use 1 to 32 letters, digits and _ - . :",
                self.instance
            );
        }
        if !(1..=MOST_WORKERS).contains(&self.workers) {
            bail!(
                "workers = {} is not within 1 and {MOST_WORKERS}",
                self.workers
            );
        }
        if let Some(record) = self
            .recording
            .as_ref()
            .filter(|record| record.max_mb < LEAST_MB)
        {
            bail!(
                "recording.max_mb = {} is below {LEAST_MB}; a recording of less is hardly one",
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
        if !METADATA_MS.contains(&self.kafka.metadata_interval_ms) {
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
        parsed
            .and_then(|c| c.check())
            .err()
            .map(|e| format!("{e:#}"))
            .unwrap_or_default()
    }

    #[test]
    fn wrong_settings_name_their_key() {
        let cases = [
            (GOOD.to_owned(), ""),
            (format!("{GOOD}urll = 1\n"), "urll"),
            (format!("lisen = 'x'\n{GOOD}"), "lisen"),
            (format!("listen = 'nowhere'\n{GOOD}"), "listen"),
            (
                format!("checkpoint_interval_ms = 1\n{GOOD}"),
                "checkpoint_interval_ms",
            ),
            (format!("max_lag_ms = 600\n{GOOD}"), "max_lag_ms"),
            (format!("instance = 'a b'\n{GOOD}"), "instance"),
            (format!("start = 'later'\n{GOOD}"), "start"),
            (
                format!("on_lost_position = 'skip'\n{GOOD}"),
                "on_lost_position",
            ),
            (
                format!("{GOOD}[audit]\nmax_rows_per_second = 5\n"),
                "audit.max_rows_per_second",
            ),
            (
                format!("{GOOD}[audit]\nbalance_url = 'x'\n"),
                "audit.balance_url",
            ),
            (format!("{GOOD}server_id = 0\n"), "mysql.server_id"),
            (format!("{GOOD}database = 'a-b'\n"), "mysql.database"),
            (
                format!(
                    "{GOOD}[[mysql.book_servers]]\nname = 'b'\nurl = 'mysql://h'\nschemas = ['balance']\n"
                ),
                "",
            ),
            (
                format!("{GOOD}[[mysql.book_servers]]\nname = 'b'\nschemas = ['balance']\n"),
                "SLUICE_B_URL",
            ),
            (
                format!(
                    "{GOOD}[[mysql.book_servers]]\nname = 'b/'\nurl = 'mysql://h'\nschemas = ['ledger']\n"
                ),
                "mysql.book_servers.name",
            ),
            (
                format!(
                    "{GOOD}[[mysql.book_servers]]\nname = 'b'\nurl = 'x'\nschemas = ['ledger']\n"
                ),
                "mysql.book_servers.url",
            ),
            (
                format!(
                    "{GOOD}[[mysql.book_servers]]\nname = 'b'\nurl = 'mysql://h'\nschemas = ['guard']\n"
                ),
                "guard",
            ),
            (
                format!(
                    "{GOOD}[[mysql.book_servers]]\nname = 'b'\nurl = 'mysql://h'\nschemas = []\n"
                ),
                "mysql.book_servers.schemas",
            ),
            (
                GOOD.replace("3306", "3306,other:3307?tls_ca=none.pem"),
                "tls_ca",
            ),
            (format!("{GOOD}[kafka]\ntopics = ['a=b']\n"), "kafka.topics"),
            (format!("{GOOD}[kafka]\nbroker = 'x'\n"), "broker"),
            (
                format!("{GOOD}[kafka]\nmetadata_interval_ms = 0\n"),
                "kafka.metadata_interval_ms",
            ),
            (
                format!("{GOOD}[kafka]\nmetadata_interval_ms = 600000\n"),
                "kafka.metadata_interval_ms",
            ),
            (
                format!("{GOOD}[kafka.changes]\nprefix = 'bank'\n"),
                "kafka.brokers",
            ),
            (
                format!("{GOOD}[kafka]\nbrokers = 'b:1'\n[kafka.changes]\nprefix = 'a b'\n"),
                "kafka.changes.prefix",
            ),
            (
                format!("{GOOD}[kafka]\nbrokers = 'b:1'\n[kafka.changes]\nprefix = 'bank'\n"),
                "",
            ),
            (
                "rules_dir = 'r'\n[mysql]\nurl = 'pg://x'\n".to_owned(),
                "mysql.url",
            ),
            (format!("workers = 0\n{GOOD}"), "workers"),
            (
                format!("{GOOD}[recording]\ndir = 'x'\nmax_mb = 3\n"),
                "recording.max_mb",
            ),
            (format!("{GOOD}[recording]\nmax_mb = 30\n"), "dir"),
            ("[mysql]\n".to_owned(), "rules_dir"),
        ];
        for (text, key) in cases {
            let error = error_of(&text);
            assert!(
                error.contains(key) && error.is_empty() == key.is_empty(),
                "{text} gave {error}"
            );
        }
    }
    /// Two pods with the same host name and process id.
    #[test]
    fn what_is_not_set_is_nobody_elses() {
        let one = || toml::from_str::<Config>(GOOD).unwrap();
        let (a, b) = (one(), one());
        assert!(a.instance != b.instance && a.mysql.server_id != b.mysql.server_id);
        a.check().unwrap();
    }
}
