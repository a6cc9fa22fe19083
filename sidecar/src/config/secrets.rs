//! Secrets, from the folder of the settings or from the environment.

use crate::config::SidecarConfig;
use sluice_contract::event::{EventVerifier, PRODUCER_SECRET};
use sluice_contract::kafka::PASSWORD_SECRET;
use sluice_contract::keys::SigningKeys;
use sluice_contract::provenance::TransactionVerifier;
use sluice_contract::settings::{Secret, refuse_equal_secrets};
use sluice_contract::transaction_key::{PUBLIC_KEYS_SECRET, TransactionPublicKey};

/// Secrets of the fence and of the rules.
#[derive(Debug, Clone)]
pub struct SidecarSecrets {
    /// Two while one replaces the other: cores sign with either.
    pub provenance_key: SigningKeys,
    /// Keys of before: ledger entries that they sealed hold.
    pub provenance_retired: Vec<Secret>,
    /// Verify what cores sign.
    pub transaction_keys: TransactionVerifier,
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
        let provenance_key = SigningKeys::load("provenance_key", dir)?;
        let secrets = SidecarSecrets {
            transaction_keys: self.transaction_keys(|| Ok(provenance_key.clone()))?,
            provenance_key,
            provenance_retired: self
                .provenance_keys_retired
                .iter()
                .map(|name| Secret::load(name, dir))
                .collect::<Result<_, _>>()?,
            sidecar_token: Secret::load("sidecar_token", dir)?,
            read_token: Secret::load_optional("sidecar_read_token", dir)?,
        };
        self.check_owners(&secrets, Vec::new())?;
        Ok(secrets)
    }

    /// Loads the public keys that verify transactions. `macs` gives the keys of MACs, if
    /// transactions may still have those: there is no public key, or the settings say so.
    ///
    /// # Errors
    /// A file can't be read, or holds no key.
    pub fn transaction_keys(
        &self,
        macs: impl FnOnce() -> anyhow::Result<SigningKeys>,
    ) -> anyhow::Result<TransactionVerifier> {
        let public = TransactionPublicKey::load_all(self.secrets_dir.as_deref())?;
        anyhow::ensure!(
            !(self.require_transaction_pairs && public.is_empty()),
            "require_transaction_pairs is on, and there is no public key: put the lines that `sluice keys public` prints \
             into the secret {PUBLIC_KEYS_SECRET}"
        );
        let accepts_macs = self.accept_transaction_macs || public.is_empty();
        Ok(TransactionVerifier::new(
            public,
            accepts_macs.then(macs).transpose()?,
        ))
    }

    /// Refuses two secrets that are the same: a machine would be a person, or a person two.
    ///
    /// # Errors
    /// The names of both.
    pub fn check_owners(
        &self,
        secrets: &SidecarSecrets,
        people: Vec<(String, Secret)>,
    ) -> anyhow::Result<()> {
        let named = |name: &str, secret: &Secret| (name.to_owned(), secret.clone());
        let keys = secrets.provenance_key.all();
        let mut all: Vec<_> = keys
            .chain(&secrets.provenance_retired)
            .map(|key| named("provenance_key", key))
            .collect();
        all.push(named("sidecar_token", &secrets.sidecar_token));
        let read_token = secrets.read_token.iter();
        all.extend(read_token.map(|token| named("sidecar_read_token", token)));
        let password = self.kafka.password.iter();
        all.extend(password.map(|password| named(PASSWORD_SECRET, password)));
        if let Some(keys) = self.kafka.producers.keys() {
            all.extend(keys.get().all().map(|key| named(PRODUCER_SECRET, key)));
        }
        all.extend(people);
        refuse_equal_secrets(&all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_contract::transaction_key::TransactionKeyPair;

    /// Names in the refusal of these secrets; empty if they are let pass.
    fn refused(read_token: Option<&str>, people: &[(&str, &str)]) -> String {
        let text = "rules_dir = 'rules'\n[mysql]\nurl = 'mysql://root@127.0.0.1:3306'\n";
        let config: SidecarConfig = toml::from_str(text).unwrap();
        let secrets = SidecarSecrets {
            provenance_key: SigningKeys::new(Secret::new("a-key-of-sixteen"), None),
            provenance_retired: Vec::new(),
            transaction_keys: TransactionVerifier::new(Vec::new(), None),
            sidecar_token: Secret::new("a-token-of-cores"),
            read_token: read_token.map(Secret::new),
        };
        let people = people.iter().map(|(name, token)| {
            let named = format!("people/{name}");
            (named, Secret::new(token))
        });
        let checked = config.check_owners(&secrets, people.collect());
        checked.err().map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn machines_and_people_have_secrets_of_their_own() {
        assert_eq!(refused(None, &[]), "");
        let both = [("ann", "one"), ("bob", "two")];
        assert_eq!(refused(Some("a-token-to-look"), &both), "");
        for (read_token, people, named) in [
            (
                Some("a-token-of-cores"),
                &[][..],
                "sidecar_token and sidecar_read_token",
            ),
            (
                Some("a-key-of-sixteen"),
                &[],
                "provenance_key and sidecar_read_token",
            ),
            (
                None,
                &[("ann", "a-token-of-cores")],
                "sidecar_token and people/ann",
            ),
            (
                Some("look"),
                &[("ann", "look")],
                "sidecar_read_token and people/ann",
            ),
            (
                None,
                &[("ann", "one"), ("bob", "one")],
                "people/ann and people/bob",
            ),
        ] {
            let text = refused(read_token, people);
            assert!(text.contains(named), "{named}: {text}");
            assert!(!text.contains("a-token-of-cores"), "{text}");
        }
    }

    #[test]
    fn pairs_in_force_need_a_public_key_and_no_mac() -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        let text = "rules_dir = 'rules'\n[mysql]\nurl = 'mysql://root@127.0.0.1:3306'\n";
        let mut config: SidecarConfig = toml::from_str(text)?;
        config.secrets_dir = Some(dir.path().to_owned());
        let macs = || Ok(SigningKeys::new(Secret::new("a-key-of-sixteen"), None));
        assert_eq!(config.transaction_keys(macs)?.accepted(), "macs");
        config.require_transaction_pairs = true;
        let refused = config.transaction_keys(macs).err().map(|e| e.to_string());
        let refused = refused.unwrap_or_default();
        assert!(refused.contains(PUBLIC_KEYS_SECRET), "{refused}");
        let pair = TransactionKeyPair::new(&Secret::new(&"1".repeat(64)))?;
        std::fs::write(dir.path().join(PUBLIC_KEYS_SECRET), pair.public().line())?;
        assert_eq!(config.transaction_keys(macs)?.accepted(), "pairs");
        config.accept_transaction_macs = true;
        assert!(config.check().is_err(), "both at once");
        config.require_transaction_pairs = false;
        assert_eq!(config.transaction_keys(macs)?.accepted(), "pairs or macs");
        config.check()
    }
}
