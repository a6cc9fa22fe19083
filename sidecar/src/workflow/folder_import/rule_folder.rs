//! The folder of rules: read, compiled as a whole, and as the very first set.

use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::text::error::LoadErrors;
use crate::rules::{RuleFile, RuleFiles, RuleMode};
use crate::workflow::folder_import::library_copy::with_library;
use crate::workflow::{RuleSetMember, RuleSetVersion, RuleText};
use sluice_contract::provenance::TransactionVerifier;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A folder that compiles as a whole.
pub struct RuleFolder {
    pub texts: BTreeMap<String, Arc<RuleText>>,
    /// As headers say.
    pub modes: BTreeMap<String, RuleMode>,
}

impl RuleFolder {
    /// Reads and compiles all of it, the way a set runs: each rule with its own copy of
    /// the library. An error names every file that is wrong, or an empty folder.
    pub fn read(
        dir: &Path,
        transaction_keys: impl Into<TransactionVerifier>,
    ) -> Result<(RuleFolder, RuleSet), LoadErrors> {
        let transaction_keys = transaction_keys.into();
        let rules = RuleSet::load(dir, transaction_keys.clone())?;
        let files = RuleFiles::read(dir).map_err(|e| LoadErrors(vec![e]))?;
        let folder = RuleFolder::new(
            files,
            rules.rules().map(|r| (r.id.clone(), r.mode)).collect(),
        );
        // A rule may be well, and with its copy too large, or a name in the library wrong.
        first(&folder, 0).compile(transaction_keys)?;
        Ok((folder, rules))
    }

    pub fn new(files: RuleFiles, modes: BTreeMap<String, RuleMode>) -> RuleFolder {
        let lib = &files.lib;
        let text = |file: RuleFile| {
            let text = RuleText::new(&file.id, with_library(&file.text, lib), file.cases);
            (file.id, Arc::new(text))
        };
        RuleFolder {
            texts: files.rules.into_iter().map(text).collect(),
            modes,
        }
    }

    /// Hashes of texts by rule: what is remembered once it was taken over.
    pub fn hashes(&self) -> BTreeMap<String, String> {
        self.texts
            .iter()
            .map(|(rule, text)| (rule.clone(), text.hash.clone()))
            .collect()
    }
}

/// Makes the very first set: what is deployed with an empty database was reviewed like
/// code, so headers' modes count.
pub fn first(folder: &RuleFolder, now_us: i64) -> RuleSetVersion {
    let member = |(rule, text): (&String, &Arc<RuleText>)| RuleSetMember {
        rule: rule.clone(),
        text: Arc::clone(text),
        mode: folder.modes.get(rule).copied().unwrap_or(RuleMode::Draft),
        candidate: false,
        demoted: false,
        since_us: now_us,
    };
    RuleSetVersion::new(1, folder.texts.iter().map(member).collect())
}
