//! Settings of the servers: databases and Kafka.

use anyhow::ensure;
use serde::Deserialize;
use sluice_contract::kafka::{KafkaConnection, KafkaSecuritySettings};
use sluice_contract::settings::Secret;
use sluice_contract::sql;

/// The orders' server, and the base name of the schemas.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoreMysqlConfig {
    /// `mysql://user:password@host:port`, here or in `SLUICE_MYSQL_URL`.
    #[serde(default)]
    pub url: String,
    /// Base name of the four schemas.
    #[serde(default = "default_database")]
    pub database: String,
    /// Most milliseconds between this host's clock and the database's; beyond it nothing is
    /// stamped.
    #[serde(default = "default_max_clock_skew_ms")]
    pub max_clock_skew_ms: u64,
    /// The core migrates the schemas at its start. With `false` its user needs no right
    /// to change tables; `sluice-core --migrate` does it then, with another user.
    #[serde(default = "default_migrate")]
    pub migrate: bool,
}

/// Server of one service's schema.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceServerConfig {
    /// As `mysql.url`, here or in `SLUICE_BALANCE_URL` or `SLUICE_LEDGER_URL`.
    /// Empty: with the orders.
    pub url: String,
}

/// Brokers that events are published to and payments are read from.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct CoreKafkaConfig {
    /// Empty: events stay in the outbox and nothing is published.
    pub brokers: String,
    pub security: KafkaSecuritySettings,
}

impl CoreMysqlConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            (100..=3_600_000).contains(&self.max_clock_skew_ms),
            "mysql.max_clock_skew_ms = {}: 100 to 3600000",
            self.max_clock_skew_ms
        );
        Ok(())
    }

    /// `max_clock_skew_ms` in µs.
    pub fn max_clock_skew_us(&self) -> i64 {
        i64::try_from(self.max_clock_skew_ms.saturating_mul(1_000)).unwrap_or(i64::MAX)
    }
}

impl ServiceServerConfig {
    /// The service's server: its own, or the orders' one.
    pub(super) fn url_or<'a>(&'a self, orders: &'a str) -> &'a str {
        if self.url.is_empty() {
            orders
        } else {
            &self.url
        }
    }

    /// Refuses a URL that can't be read, or that says in two ways what one says.
    pub(super) fn check(&self, key: &str, orders: &str) -> anyhow::Result<()> {
        if self.url.is_empty() {
            return Ok(());
        }
        sql::options_of(key, &self.url)?;
        ensure!(
            self.url != orders,
            "{key} is mysql.url: leave it empty to keep it with the orders"
        );
        Ok(())
    }
}

impl CoreKafkaConfig {
    /// The brokers, for a client that has the `password`.
    pub fn connection(&self, password: Option<&Secret>) -> KafkaConnection {
        KafkaConnection {
            brokers: self.brokers.clone(),
            security: self.security.clone(),
            password: password.cloned(),
        }
    }
}

fn default_max_clock_skew_ms() -> u64 {
    2_000
}

fn default_migrate() -> bool {
    true
}

fn default_database() -> String {
    "sluice".into()
}
