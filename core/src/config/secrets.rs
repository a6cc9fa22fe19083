//! Secrets that the settings name: files of `secrets_dir`, or the environment.

use crate::config::{ClientAuthentication, CoreConfig};
use anyhow::bail;
use sluice_contract::event::EventVerifier;
use sluice_contract::keys::{KeyRing, SigningKeys};
use sluice_contract::settings::Secret;

/// Everything that the running core needs besides the file.
#[derive(Debug, Clone)]
pub struct CoreSecrets {
    /// Signs what the core writes; the key that replaces it, or that it replaced, holds too.
    pub provenance: SigningKeys,
    /// Keys of before: their seals of orders hold.
    pub provenance_retired: Vec<Secret>,
    /// Shown to the sidecar when subscribing to its fence.
    pub sidecar: Option<Secret>,
    /// One per configured channel, in the same order.
    pub channels: Vec<KeyRing>,
    /// One per configured client, in the same order; none for those with access tokens.
    pub clients: Vec<Option<KeyRing>>,
    /// Password of the SASL user, if the brokers ask for one.
    pub kafka: Option<Secret>,
    /// Producers of business events, if their signatures are demanded.
    pub producers: EventVerifier,
}

impl CoreConfig {
    /// Reads every secret that these settings need.
    ///
    /// # Errors
    /// The name of the one that is missing or too short.
    pub fn secrets(&self) -> anyhow::Result<CoreSecrets> {
        let dir = self.secrets_dir.as_deref();
        let load = |name: String| Secret::load(&name, dir);
        let secrets = CoreSecrets {
            provenance: SigningKeys::load("provenance_key", dir)?,
            provenance_retired: self
                .provenance_keys_retired
                .iter()
                .map(|name| load(name.clone()))
                .collect::<Result<_, _>>()?,
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
                .map(|c| match c.authentication {
                    ClientAuthentication::Jwt => Ok(None),
                    ClientAuthentication::Bearer | ClientAuthentication::Hmac => {
                        KeyRing::load(&format!("client_{}", c.name), dir).map(Some)
                    }
                })
                .collect::<Result<_, _>>()?,
            kafka: self.kafka.security.password(dir)?,
            producers: EventVerifier::load(self.kafka.security.signed_events, dir)?,
        };
        secrets.check_clients(self)?;
        Ok(secrets)
    }
}

impl CoreSecrets {
    /// Refuses two clients with one secret: nobody could tell them from each other.
    fn check_clients(&self, config: &CoreConfig) -> anyhow::Result<()> {
        let mut known: Vec<(&str, Secret)> = Vec::new();
        for (client, keys) in config.clients.iter().zip(&self.clients) {
            let Some(keys) = keys.as_ref().map(KeyRing::get) else {
                continue;
            };
            for secret in keys.all() {
                let same = known
                    .iter()
                    .find(|(name, other)| *name != client.name && other == secret);
                if let Some((other, _)) = same {
                    bail!(
                        "client_{} and client_{other} are the same secret: give each client its own",
                        client.name
                    );
                }
                known.push((&client.name, secret.clone()));
            }
        }
        Ok(())
    }
}
