//! Keys that a backtest verifies transactions with: public ones, which are no secret.

use crate::config::SidecarConfig;
use crate::rules::{RuleFiles, RuleSet};
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
        if let Some(keys) = &self.0 {
            return Ok(keys.clone());
        }
        let none = TransactionVerifier::new(Vec::new(), None);
        let set = RuleSet::build(files, none.clone())?;
        match set.rule_that_reads("provenance") {
            None => Ok(none),
            Some(rule) => bail!(
                "rule {rule} asks who signed: name the public keys with --public-keys, or --config"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(check: &str, lib: &str) -> anyhow::Result<TransactionVerifier> {
        let text = format!(
            r#"//! id = "r"
//! guards = "Something, and not the provenance."
//! kind = "manual_fix"
//! severity = "minor"
//! mode = "shadow"
//! owner = "t"
//! runbook = "Look."
//! [trigger]
//! on = "transaction"
//! tables = ["orders"]
// A word about provenance is no question.
fn check(tx) {{ {check} }}
"#
        );
        let mut texts = vec![("r.rhai".to_owned(), text)];
        if !lib.is_empty() {
            texts.push(("lib/own.rhai".to_owned(), lib.to_owned()));
        }
        BacktestKeys(None).of(&RuleFiles::of(texts))
    }

    #[test]
    fn whoever_asks_who_signed_needs_keys_and_who_only_speaks_of_it_does_not() {
        let says = "violation(\"\", \"item\", \"no provenance\", 1);";
        for (check, lib) in [
            (
                "if tx.provenance != \"valid\" { violation(\"\", \"i\", \"m\", 1); }",
                "",
            ),
            ("violation(\"\", \"i\", `${tx.provenance}`, 1);", ""),
            (
                "if by_hand(tx) { violation(\"\", \"i\", \"m\", 1); }",
                "fn by_hand(tx) { tx.provenance != \"valid\" }",
            ),
        ] {
            let refused = of(check, lib).err().map(|e| format!("{e:#}"));
            let refused = refused.unwrap_or_default();
            assert!(refused.contains("rule r asks"), "{check}: {refused}");
        }
        assert!(of(says, "").is_ok(), "{:?}", of(says, "").err());
    }
}
