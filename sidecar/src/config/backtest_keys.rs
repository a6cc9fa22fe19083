//! Keys that a backtest verifies transactions with: public ones, which are no secret.

use crate::config::SidecarConfig;
use crate::rules::RuleFiles;
use anyhow::{Context, bail};
use sluice_contract::keys::SigningKeys;
use sluice_contract::provenance::TransactionVerifier;
use sluice_contract::transaction_key::TransactionPublicKey;
use std::path::Path;

/// Keys that were named, or none: a set that does not ask who signed needs none.
pub struct BacktestKeys(Option<TransactionVerifier>);

impl BacktestKeys {
    /// Reads the file of public keys; else, for a recording of transactions with MACs, a folder
    /// of secrets; else what the sidecar of `config` verifies with.
    ///
    /// # Errors
    /// A file can't be read, or holds no key.
    pub fn load(
        public_keys: Option<&Path>,
        secrets: Option<&Path>,
        config: Option<&SidecarConfig>,
    ) -> anyhow::Result<Self> {
        let macs = |dir: Option<&Path>| SigningKeys::load("provenance_key", dir);
        if let Some(path) = public_keys {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("--public-keys: can't read {}", path.display()))?;
            let public = TransactionPublicKey::parse_all(&text).context("--public-keys")?;
            return Ok(BacktestKeys(Some(TransactionVerifier::new(public, None))));
        }
        if secrets.is_some() {
            let public = TransactionPublicKey::load_all(secrets)?;
            let macs = macs(secrets).context("--secrets")?;
            let both = TransactionVerifier::new(public, Some(macs));
            return Ok(BacktestKeys(Some(both)));
        }
        let of = |config: &SidecarConfig| {
            config.transaction_keys(|| macs(config.secrets_dir.as_deref()))
        };
        match config {
            Some(config) => Ok(BacktestKeys(Some(of(config)?))),
            // In the environment, if anywhere.
            None => {
                let public = TransactionPublicKey::load_all(None)?;
                let named = (!public.is_empty()).then(|| TransactionVerifier::new(public, None));
                Ok(BacktestKeys(named))
            }
        }
    }

    /// Keys for a set of rules. Wrong ones would make every transaction look like somebody's
    /// hand.
    ///
    /// # Errors
    /// A rule asks who signed, and no key was named.
    pub fn of(&self, files: &RuleFiles) -> anyhow::Result<TransactionVerifier> {
        let asks = || files.rules.iter().find(|f| f.text.contains("provenance"));
        match (&self.0, asks()) {
            (Some(keys), _) => Ok(keys.clone()),
            (None, None) => Ok(TransactionVerifier::new(Vec::new(), None)),
            (None, Some(file)) => bail!(
                "rule {} asks who signed: name the public keys with --public-keys, or --config",
                file.id
            ),
        }
    }
}
