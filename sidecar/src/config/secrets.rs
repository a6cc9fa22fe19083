//! Secrets, from the folder of the settings or from the environment.

use crate::config::SidecarConfig;
use sluice_contract::event::EventVerifier;
use sluice_contract::keys::SigningKeys;
use sluice_contract::settings::Secret;

/// Secrets of the fence and of the rules.
#[derive(Debug, Clone)]
pub struct SidecarSecrets {
    /// Two while one replaces the other: cores sign with either.
    pub provenance_key: SigningKeys,
    pub sidecar_token: Secret,
    pub read_token: Option<Secret>,
}

impl SidecarConfig {
    /// Puts the brokers' password and the producers' keys into the settings of Kafka, which
    /// every client is made from.
    ///
    /// # Errors
    /// It is missing or too short.
    pub fn authenticate_kafka(&mut self) -> anyhow::Result<()> {
        let dir = self.secrets_dir.as_deref();
        self.kafka.password = self.kafka.security.password(dir)?;
        self.kafka.producers = EventVerifier::load(self.kafka.security.signed_events, dir)?;
        Ok(())
    }

    /// Loads the secrets.
    ///
    /// # Errors
    /// One is missing or can't be read.
    pub fn secrets(&self) -> anyhow::Result<SidecarSecrets> {
        let dir = self.secrets_dir.as_deref();
        Ok(SidecarSecrets {
            provenance_key: SigningKeys::load("provenance_key", dir)?,
            sidecar_token: Secret::load("sidecar_token", dir)?,
            read_token: Secret::load_optional("sidecar_read_token", dir)?,
        })
    }
}
