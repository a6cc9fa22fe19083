//! Secrets that the settings name: files of `secrets_dir`, or the environment.

use crate::config::CoreConfig;
use sluice_contract::keys::KeyRing;
use sluice_contract::settings::Secret;

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
    /// Password of the SASL user, if the brokers ask for one.
    pub kafka: Option<Secret>,
}

impl CoreConfig {
    /// Reads every secret that these settings need.
    ///
    /// # Errors
    /// The name of the one that is missing or too short.
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
            kafka: self.kafka.security.password(dir)?,
        })
    }
}
