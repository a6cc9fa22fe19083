//! Settings of the core, one struct per concern. Contradictions fail at load.

mod accept;
mod acknowledgement;
mod callbacks;
mod channel;
mod clients;
mod decimals;
mod dispatch;
mod fence;
mod intake;
mod listing;
mod oauth;
mod recovery;
mod retention;
mod secrets;
mod servers;

pub use accept::AcceptConfig;
pub use acknowledgement::AcknowledgementConfig;
pub use callbacks::CallbacksConfig;
pub use channel::{ChannelConfig, ChannelId};
pub use clients::{
    AmountBound, ClientAuthentication, ClientConfig, EndUserSource, FORMER_DEPOSIT_CLIENT, Grant,
    INTAKE_CLIENT, NAMELESS_CLIENT, OWNER_WORD,
};
pub use decimals::{ChannelDecimals, DecimalsError};
pub use dispatch::DispatchConfig;
pub use fence::FenceClientConfig;
pub use intake::IntakeConfig;
pub use listing::ListingConfig;
pub use oauth::{OauthConfig, TokenAlgorithm};
pub use recovery::RecoveryConfig;
pub use retention::RetentionConfig;
pub use secrets::CoreSecrets;
pub use servers::{CoreKafkaConfig, CoreMysqlConfig, ServiceServerConfig};

use crate::schema::DatabaseUrls;
use anyhow::{Context, ensure};
use channel::{check_channels, check_clocks};
use clients::check_clients;
use serde::Deserialize;
use sluice_contract::ids::is_plain;
use sluice_contract::listener::ListenerSettings;
use sluice_contract::money::Currency;
use sluice_contract::schema::Schemas;
use sluice_contract::settings;
use sluice_contract::traces::TraceSettings;
use sluice_contract::vault::VaultSettings;
use std::path::{Path, PathBuf};

/// Settings of one core, as its file has them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoreConfig {
    /// Name of this instance in logs and fence tokens; each start adds a random part.
    #[serde(default = "default_name")]
    pub name: String,
    /// Address of the public API.
    #[serde(default = "default_listen")]
    pub listen: String,
    /// Bounds and TLS of the public API.
    #[serde(default)]
    pub listener: ListenerSettings,
    #[serde(default)]
    pub callbacks: CallbacksConfig,
    /// Address of `/live`, `/ready`, `/metrics`.
    #[serde(default = "default_admin")]
    pub admin: String,
    /// Bounds and TLS of that listener.
    #[serde(default = "ListenerSettings::small")]
    pub admin_listener: ListenerSettings,
    pub secrets_dir: Option<PathBuf>,
    /// Names of the secrets that were `provenance_key` two rolls ago or before: seals of
    /// orders of their time hold.
    #[serde(default)]
    pub provenance_keys_retired: Vec<String>,
    /// Source of the secrets that are neither in the environment nor in `secrets_dir`.
    pub vault: Option<VaultSettings>,
    /// Currency of a request that names none.
    #[serde(default = "default_currency")]
    pub default_currency: String,
    /// Zone of the day of an account, a user and a business, by which their limits count
    /// whatever channel pays: an IANA name, or an offset such as `+08:00`.
    #[serde(default = "default_day_zone")]
    pub day_zone: String,
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
    pub retention: RetentionConfig,
    #[serde(default)]
    pub listing: ListingConfig,
    #[serde(default)]
    pub acknowledgement: AcknowledgementConfig,
    /// Export of traces; off unless it names an endpoint.
    #[serde(default)]
    pub traces: TraceSettings,
    #[serde(default)]
    pub channels: Vec<ChannelConfig>,
    /// Callers allowed; empty means "one nameless caller, on loopback only".
    #[serde(default, deserialize_with = "clients::tables")]
    pub clients: Vec<ClientConfig>,
    /// Issuer of access tokens, for clients with `authentication = "jwt"`.
    pub oauth: Option<OauthConfig>,
}

fn default_name() -> String {
    "core".into()
}
fn default_listen() -> String {
    "127.0.0.1:7100".into()
}
fn default_admin() -> String {
    "127.0.0.1:7101".into()
}
fn default_day_zone() -> String {
    "Asia/Shanghai".into()
}
fn default_currency() -> String {
    "CNY".into()
}

impl CoreConfig {
    /// Reads and checks the file; the environment goes before it for addresses of servers.
    ///
    /// # Errors
    /// The key that is wrong, and why.
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

    /// Names of the four schemas.
    pub fn schemas(&self) -> anyhow::Result<Schemas> {
        Schemas::under(&self.mysql.database)
    }

    /// The servers of the schemas.
    pub fn servers(&self) -> DatabaseUrls {
        let orders = &self.mysql.url;
        DatabaseUrls {
            orders: orders.clone(),
            balance: self.balance.url_or(orders).to_owned(),
            ledger: self.ledger.url_or(orders).to_owned(),
        }
    }

    /// Refuses what can't work together, naming the key.
    pub fn check(&self) -> anyhow::Result<()> {
        self.schemas()?;
        self.mysql.check()?;
        self.balance.check("balance.url", &self.mysql.url)?;
        self.ledger.check("ledger.url", &self.mysql.url)?;
        ensure!(
            is_plain(&self.name, 20),
            "name = {:?}: letters, digits, _ - . : (at most 20)",
            self.name
        );
        let authenticated = !self.clients.is_empty();
        let listener = &self.listener;
        listener.check("listener", "listen", &self.listen, authenticated)?;
        self.callbacks.check()?;
        let admin = &self.admin_listener;
        // A certificate is all that its callers have to show.
        let known = admin.tls.as_ref().is_some_and(|t| t.client_ca.is_some());
        admin.check("admin_listener", "admin", &self.admin, known)?;
        let default_currency = self
            .default_currency
            .parse::<Currency>()
            .with_context(|| format!("default_currency = {:?}", self.default_currency))?;
        sluice_contract::clock::time_zone(&self.day_zone)
            .with_context(|| format!("day_zone: unknown zone {:?}", self.day_zone))?;
        self.traces.check()?;
        self.vault.as_ref().map_or(Ok(()), VaultSettings::check)?;
        self.accept.check()?;
        self.dispatch.check()?;
        self.intake.check()?;
        self.fence.check()?;
        self.kafka.security.check(&self.kafka.brokers)?;
        self.recovery.check()?;
        self.retention.check()?;
        self.listing.check()?;
        let names: Vec<&str> = self.clients.iter().map(|c| c.name.as_str()).collect();
        self.acknowledgement.check(&names)?;
        check_channels(&self.channels, default_currency)?;
        check_clocks(&self.channels, self.mysql.max_clock_skew_ms)?;
        ensure!(
            !self.dispatch.enabled || !self.channels.is_empty(),
            "dispatch needs at least one [[channels]]"
        );
        if let Some(oauth) = &self.oauth {
            oauth.check()?;
        }
        check_clients(&self.clients, self.oauth.is_some())
    }
}

#[cfg(test)]
mod tests;
