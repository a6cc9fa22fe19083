//! Settings of the core, one struct per concern. Contradictions fail at load.

use crate::schema::DatabaseUrls;
use anyhow::{Context, ensure};
use serde::Deserialize;
use sluice_contract::ids::is_plain;
use sluice_contract::keys::KeyRing;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::{self, Secret};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The caller's name if no clients are configured.
pub const NAMELESS_CLIENT: &str = "local";

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoreConfig {
    /// Name of this instance in logs and fence tokens; each start adds a random part.
    #[serde(default = "default_name")]
    pub name: String,
    /// Address of the public API.
    #[serde(default = "default_listen")]
    pub listen: String,
    /// Address of `/live`, `/ready`, `/metrics`; loopback only.
    #[serde(default = "default_admin")]
    pub admin: String,
    pub secrets_dir: Option<PathBuf>,
    /// Currency of a request that names none.
    #[serde(default = "default_currency")]
    pub default_currency: String,
    pub mysql: CoreMysqlConfig,
    /// The balance service's server, if it has one of its own.
    #[serde(default)]
    pub balance: ServiceServerConfig,
    /// The ledger service's server, if it has one of its own.
    #[serde(default)]
    pub ledger: ServiceServerConfig,
    #[serde(default)]
    pub kafka: CoreKafkaConfig,
    #[serde(default)]
    pub intake: IntakeConfig,
    #[serde(default)]
    pub fence: FenceClientConfig,
    #[serde(default)]
    pub accept: AcceptConfig,
    #[serde(default)]
    pub dispatch: DispatchConfig,
    #[serde(default)]
    pub recovery: RecoveryConfig,
    #[serde(default)]
    pub acknowledgement: AcknowledgementConfig,
    #[serde(default)]
    pub channels: Vec<ChannelConfig>,
    /// Callers allowed; empty means "one nameless caller, on loopback only".
    #[serde(default)]
    pub clients: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoreMysqlConfig {
    /// `mysql://user:password@host:port`, here or in `SLUICE_MYSQL_URL`.
    #[serde(default)]
    pub url: String,
    /// Base name of the four schemas.
    #[serde(default = "default_database")]
    pub database: String,
}

/// Where a service keeps its schema.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceServerConfig {
    /// As `mysql.url`, here or in `SLUICE_BALANCE_URL` or `SLUICE_LEDGER_URL`.
    /// Empty: with the orders.
    pub url: String,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct CoreKafkaConfig {
    /// Empty: events stay in the outbox and nothing is published.
    pub brokers: String,
}

/// Payments from Kafka. Without brokers there are none.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IntakeConfig {
    pub enabled: bool,
    /// Consumer group that all cores of one database share.
    pub group: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FenceClientConfig {
    pub enabled: bool,
    /// Base URL of the sidecar's listener.
    pub sidecar_url: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcceptConfig {
    /// Connections that write accept transactions side by side.
    pub writers: usize,
    /// Most requests in one transaction: larger batches were no faster when measured.
    pub max_batch: usize,
    /// Shortest time between two batches of a writer, unless one is full: what a
    /// request may wait so that many share a commit.
    pub linger_ms: u64,
    /// Requests that may wait per writer before callers get 503.
    pub queue_capacity: usize,
    /// Largest request body in bytes.
    pub max_body_bytes: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DispatchConfig {
    pub enabled: bool,
    /// Most orders in one claim.
    pub max_batch: usize,
    /// Orders remembered between acceptance and claim; the rest is found by polling.
    pub queue_capacity: usize,
    /// How often orders that nobody remembers are looked for.
    pub poll_interval_ms: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecoveryConfig {
    /// First query after a call without an answer; doubles up to `query_max_delay_ms`.
    pub query_initial_delay_ms: u64,
    pub query_max_delay_ms: u64,
    /// How long to wait for a callback before the first query.
    pub callback_wait_ms: u64,
    /// Queries without an end before the order becomes a person's case.
    pub max_queries: u32,
    /// Queries under way at once per channel.
    pub max_concurrent_queries: usize,
    /// An order that isn't on its way after this is a person's case; it still waits.
    pub unsent_case_after_ms: u64,
}

/// Upstreams that must say that they know an order's end (stage 4 of recovery).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcknowledgementConfig {
    /// Names as in `clients`; `local` if there are none.
    pub clients: Vec<String>,
    /// First wait before the end is told again; doubles up to `max_delay_ms`.
    pub initial_delay_ms: u64,
    pub max_delay_ms: u64,
    /// Told again so often before it is a person's case.
    pub max_notifications: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelConfig {
    /// `netsunion`, `unionpay` or `psp`. The first listed is the default.
    pub id: String,
    pub url: String,
    /// Zone of the channel's trade times: an IANA name, or an offset such as `+08:00`.
    #[serde(default = "default_zone")]
    pub zone: String,
    /// Payment calls in flight at most.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
    /// Queries in flight at most, apart from payments.
    #[serde(default = "default_query_concurrency")]
    pub query_concurrency: usize,
    /// How long a call may take in all before its outcome counts as unknown.
    #[serde(default = "default_deadline_ms")]
    pub deadline_ms: u64,
    /// How long one try to connect may take, TLS included; unset: a second, or the
    /// deadline if that is shorter.
    pub connect_timeout_ms: Option<u64>,
}

impl ChannelConfig {
    pub fn connect(&self) -> Duration {
        Duration::from_millis(
            self.connect_timeout_ms
                .unwrap_or(DEFAULT_CONNECT_TIMEOUT_MS)
                .min(self.deadline_ms),
        )
    }

    fn check(&self) -> anyhow::Result<()> {
        let id = &self.id;
        ensure!(
            KNOWN_CHANNELS.contains(&id.as_str()),
            "channels.id = {id:?}: this build knows {}",
            KNOWN_CHANNELS.join(", ")
        );
        let url = reqwest::Url::parse(&self.url)
            .with_context(|| format!("channels.url of {id} = {:?}", self.url))?;
        ensure!(
            matches!(url.scheme(), "http" | "https"),
            "channels.url of {id} must begin with http:// or https://"
        );
        ensure!(
            (1..=4_096).contains(&self.concurrency),
            "channels.concurrency of {id} must be 1 to 4096"
        );
        ensure!(
            (1..=4_096).contains(&self.query_concurrency),
            "channels.query_concurrency of {id} must be 1 to 4096"
        );
        ensure!(
            (1..=300_000).contains(&self.deadline_ms),
            "channels.deadline_ms of {id} must be 1 to 300000"
        );
        ensure!(
            self.connect_timeout_ms
                .is_none_or(|ms| (1..=self.deadline_ms).contains(&ms)),
            "channels.connect_timeout_ms of {id} must be 1 to its deadline_ms, {}",
            self.deadline_ms
        );
        sluice_contract::clock::trade_time(0, &self.zone)
            .with_context(|| format!("channels.zone of {id}: unknown zone {:?}", self.zone))?;
        Ok(())
    }
}

const DEFAULT_CONNECT_TIMEOUT_MS: u64 = 1_000;

fn default_name() -> String {
    "core".into()
}
fn default_listen() -> String {
    "127.0.0.1:7100".into()
}
fn default_admin() -> String {
    "127.0.0.1:7101".into()
}
fn default_currency() -> String {
    "CNY".into()
}
fn default_database() -> String {
    "sluice".into()
}
fn default_zone() -> String {
    "Asia/Shanghai".into()
}
fn default_concurrency() -> usize {
    128
}
fn default_query_concurrency() -> usize {
    64
}
fn default_deadline_ms() -> u64 {
    3_000
}

impl Default for IntakeConfig {
    fn default() -> Self {
        IntakeConfig {
            enabled: true,
            group: "sluice-core".into(),
        }
    }
}

impl Default for FenceClientConfig {
    fn default() -> Self {
        FenceClientConfig {
            enabled: true,
            sidecar_url: "http://127.0.0.1:7200".into(),
        }
    }
}

impl Default for AcceptConfig {
    fn default() -> Self {
        AcceptConfig {
            writers: 2,
            max_batch: 128,
            linger_ms: 8,
            queue_capacity: 4_096,
            max_body_bytes: 16_384,
        }
    }
}

impl Default for DispatchConfig {
    fn default() -> Self {
        DispatchConfig {
            enabled: true,
            max_batch: 256,
            queue_capacity: 50_000,
            poll_interval_ms: 500,
        }
    }
}

impl Default for RecoveryConfig {
    fn default() -> Self {
        RecoveryConfig {
            query_initial_delay_ms: 500,
            query_max_delay_ms: 60_000,
            callback_wait_ms: 10_000,
            max_queries: 20,
            max_concurrent_queries: 32,
            unsent_case_after_ms: 3_600_000,
        }
    }
}

impl Default for AcknowledgementConfig {
    fn default() -> Self {
        AcknowledgementConfig {
            clients: Vec::new(),
            initial_delay_ms: 60_000,
            max_delay_ms: 3_600_000,
            max_notifications: 12,
        }
    }
}

/// Everything that the running core needs besides the file.
#[derive(Debug, Clone)]
pub struct CoreSecrets {
    pub provenance: Secret,
    /// Shown to the sidecar when subscribing to its fence.
    pub sidecar: Option<Secret>,
    /// One per configured channel, in the same order.
    pub channels: Vec<KeyRing>,
    /// One per configured client, in the same order.
    pub clients: Vec<Secret>,
}

impl CoreConfig {
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let mut config: CoreConfig = settings::load_toml(path)?;
        settings::override_by(&mut config.mysql.url, "SLUICE_MYSQL_URL");
        settings::override_by(&mut config.balance.url, "SLUICE_BALANCE_URL");
        settings::override_by(&mut config.ledger.url, "SLUICE_LEDGER_URL");
        settings::override_by(&mut config.kafka.brokers, "SLUICE_KAFKA_BROKERS");
        config
            .check()
            .with_context(|| format!("{}", path.display()))?;
        Ok(config)
    }

    pub fn schemas(&self) -> anyhow::Result<Schemas> {
        Schemas::under(&self.mysql.database)
    }

    /// The servers of the schemas.
    pub fn servers(&self) -> DatabaseUrls {
        let or_orders = |url: &String| {
            if url.is_empty() {
                self.mysql.url.clone()
            } else {
                url.clone()
            }
        };
        DatabaseUrls {
            orders: self.mysql.url.clone(),
            balance: or_orders(&self.balance.url),
            ledger: or_orders(&self.ledger.url),
        }
    }

    /// Refuses what can't work together, naming the key.
    pub fn check(&self) -> anyhow::Result<()> {
        self.schemas()?;
        for (key, url) in [
            ("balance.url", &self.balance.url),
            ("ledger.url", &self.ledger.url),
        ] {
            if !url.is_empty() {
                sluice_contract::sql::options_of(key, url)?;
                ensure!(
                    *url != self.mysql.url,
                    "{key} is mysql.url: leave it empty to keep it with the orders"
                );
            }
        }
        ensure!(
            is_plain(&self.name, 20),
            "name = {:?}: letters, digits, _ - . : (at most 20)",
            self.name
        );
        settings::check_listener("listen", &self.listen, !self.clients.is_empty())?;
        settings::check_listener("admin", &self.admin, false)?;
        self.default_currency
            .parse::<sluice_contract::money::Currency>()
            .with_context(|| format!("default_currency = {:?}", self.default_currency))?;
        ensure!(
            (1..=64).contains(&self.accept.writers),
            "accept.writers must be 1 to 64"
        );
        ensure!(
            (1..=512).contains(&self.accept.max_batch),
            "accept.max_batch must be 1 to 512"
        );
        ensure!(
            (1..=1024).contains(&self.dispatch.max_batch),
            "dispatch.max_batch must be 1 to 1024"
        );
        ensure!(
            is_plain(&self.intake.group, 64),
            "intake.group = {:?} is not a plain name",
            self.intake.group
        );
        self.check_recovery()?;
        let mut seen = HashSet::new();
        for channel in &self.channels {
            channel.check()?;
            ensure!(
                seen.insert(&channel.id),
                "channels.id = {:?} is listed twice",
                channel.id
            );
        }
        ensure!(
            !self.dispatch.enabled || !self.channels.is_empty(),
            "dispatch needs at least one [[channels]]"
        );
        for client in &self.clients {
            ensure!(
                is_plain(client, 32),
                "clients: {client:?} is not a plain name"
            );
            // Deposits and payments have their keys under these names.
            let taken = matches!(client.as_str(), "deposit" | crate::config::INTAKE_CLIENT);
            ensure!(
                !taken,
                "clients: {client:?} is used by the core itself; choose another name"
            );
        }
        Ok(())
    }

    fn check_recovery(&self) -> anyhow::Result<()> {
        let (recovery, acknowledgement) = (&self.recovery, &self.acknowledgement);
        ensure!(
            recovery.query_initial_delay_ms > 0,
            "recovery.query_initial_delay_ms must be above 0"
        );
        ensure!(
            (1..=1_000).contains(&recovery.max_queries),
            "recovery.max_queries must be 1 to 1000"
        );
        ensure!(
            (1..=1_000).contains(&recovery.max_concurrent_queries),
            "recovery.max_concurrent_queries must be 1 to 1000"
        );
        ensure!(
            acknowledgement.initial_delay_ms > 0,
            "acknowledgement.initial_delay_ms must be above 0"
        );
        ensure!(
            acknowledgement.max_notifications <= 1_000,
            "acknowledgement.max_notifications must be at most 1000"
        );
        for client in &acknowledgement.clients {
            let known = self.clients.contains(client)
                || (self.clients.is_empty() && client == NAMELESS_CLIENT);
            ensure!(
                known,
                "acknowledgement.clients: {client:?} is not in clients ({NAMELESS_CLIENT} if there are none)"
            );
        }
        Ok(())
    }

    pub fn secrets(&self) -> anyhow::Result<CoreSecrets> {
        let dir = self.secrets_dir.as_deref();
        let load = |name: String| Secret::load(&name, dir);
        Ok(CoreSecrets {
            provenance: load("provenance_key".into())?,
            sidecar: self
                .fence
                .enabled
                .then(|| load("sidecar_token".into()))
                .transpose()?,
            channels: self
                .channels
                .iter()
                .map(|c| KeyRing::load(&format!("channel_{}", c.id), dir))
                .collect::<Result<_, _>>()?,
            clients: self
                .clients
                .iter()
                .map(|c| load(format!("client_{c}")))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// Channels that this build can talk to.
pub const KNOWN_CHANNELS: [&str; 3] = ["netsunion", "unionpay", "psp"];

/// Under whose name payments have their keys; no caller of the API can have it.
pub const INTAKE_CLIENT: &str = "kafka";
