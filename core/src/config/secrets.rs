//! Secrets that the settings name: files of `secrets_dir`, or the environment.

use crate::config::{ClientAuthentication, CoreConfig};
use sluice_contract::event::{EventVerifier, PRODUCER_SECRET};
use sluice_contract::kafka::PASSWORD_SECRET;
use sluice_contract::keys::{KeyRing, SigningKeys};
use sluice_contract::provenance::TransactionSigner;
use sluice_contract::settings::{Secret, refuse_equal_secrets};
use sluice_contract::transaction_key::{PRIVATE_KEY_SECRET, TransactionKeyPair};
use std::sync::Arc;

/// Everything that the running core needs besides the file.
#[derive(Debug, Clone)]
pub struct CoreSecrets {
    /// Makes the MACs of what the core writes; the key that replaces it, or that it replaced,
    /// holds too.
    pub provenance: SigningKeys,
    /// Signs transactions; without it, the key of MACs does.
    pub pair: Option<Arc<TransactionKeyPair>>,
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
        let private = Secret::load_optional(PRIVATE_KEY_SECRET, dir)?;
        let secrets = CoreSecrets {
            provenance: SigningKeys::load("provenance_key", dir)?,
            pair: private
                .as_ref()
                .map(TransactionKeyPair::new)
                .transpose()?
                .map(Arc::new),
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
        secrets.check_owners(self, private.as_ref())?;
        Ok(secrets)
    }
}

impl CoreSecrets {
    /// Everything that this core signs with.
    pub fn signer(&self) -> TransactionSigner {
        TransactionSigner::new(self.provenance.current().clone(), self.pair.clone())
    }

    /// Refuses two secrets that are the same: nobody could tell their owners apart.
    fn check_owners(&self, config: &CoreConfig, private: Option<&Secret>) -> anyhow::Result<()> {
        let named =
            |name: &str, secret: Option<&Secret>| secret.map(|s| (name.to_owned(), s.clone()));
        let single = [
            named("sidecar_token", self.sidecar.as_ref()),
            named(PRIVATE_KEY_SECRET, private),
            named(PASSWORD_SECRET, self.kafka.as_ref()),
        ];
        let mut all: Vec<(String, Secret)> = single.into_iter().flatten().collect();
        let provenance = self.provenance.all().chain(&self.provenance_retired);
        all.extend(provenance.map(|key| ("provenance_key".to_owned(), key.clone())));
        let channels = config.channels.iter().map(|c| format!("channel_{}", c.id));
        let clients = config.clients.iter().map(|c| format!("client_{}", c.name));
        let of_clients = clients
            .zip(&self.clients)
            .filter_map(|(name, keys)| Some((name, keys.as_ref()?)));
        let producers = self
            .producers
            .keys()
            .map(|keys| (PRODUCER_SECRET.to_owned(), keys));
        for (name, ring) in channels
            .zip(&self.channels)
            .chain(of_clients)
            .chain(producers)
        {
            all.extend(
                ring.get()
                    .all()
                    .map(|secret| (name.clone(), secret.clone())),
            );
        }
        refuse_equal_secrets(&all)
    }
}
