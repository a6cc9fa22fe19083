//! Settings of the Kafka source and of the change feed.

use serde::Deserialize;
use sluice_contract::event::{BUSINESS_TOPICS, EventVerifier};
use sluice_contract::kafka::{KafkaConnection, KafkaSecuritySettings};
use sluice_contract::settings::Secret;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaSourceSettings {
    /// `host:port,…`; empty for none.
    pub brokers: String,
    pub security: KafkaSecuritySettings,
    /// Password of the SASL user; a secret, never in the file.
    #[serde(skip)]
    pub password: Option<Secret>,
    /// Producers of business events, if their signatures are demanded.
    #[serde(skip)]
    pub producers: EventVerifier,
    /// Consumer group: it is told what is committed; partitions are assigned by hand.
    pub group: String,
    pub topics: Vec<String>,
    /// Longest wait of one fetch.
    pub fetch_wait_ms: u32,
    /// New partitions are looked for after this time.
    pub metadata_interval_ms: u64,
    /// Read the database's changes from here instead of from its binlog.
    pub changes: Option<ChangeFeedSettings>,
}

/// A connector's change feed in Debezium's envelope.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeFeedSettings {
    /// The connector's `topic.prefix`.
    pub prefix: String,
}

impl Default for KafkaSourceSettings {
    fn default() -> Self {
        KafkaSourceSettings {
            brokers: String::new(),
            security: KafkaSecuritySettings::default(),
            password: None,
            producers: EventVerifier::default(),
            group: "sluice-sidecar".to_owned(),
            topics: BUSINESS_TOPICS.map(str::to_owned).to_vec(),
            fetch_wait_ms: 5,
            metadata_interval_ms: 3_000,
            changes: None,
        }
    }
}

impl KafkaSourceSettings {
    /// The brokers, as every client of the sidecar connects to them.
    pub fn connection(&self) -> KafkaConnection {
        KafkaConnection {
            brokers: self.brokers.clone(),
            security: self.security.clone(),
            password: self.password.clone(),
        }
    }
}
