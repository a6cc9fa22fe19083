//! Building of a rule set: all of its files, or none of them.

use crate::rules::compile::MAX_RULES;
use crate::rules::compile::plan::plan_of;
use crate::rules::compile::restart_margin::kafka_look_back;
use crate::rules::compile::rule::compile;
use crate::rules::runtime::engine::build;
use crate::rules::runtime::rule_set::{CompiledRule, DEFAULT_MEMORY_BYTES, RuleSet};
use crate::rules::script::library::RuleLibrary;
use crate::rules::text::error::{LoadError, LoadErrors};
use crate::rules::text::files::RuleFiles;
use rhai::Engine;
use sluice_contract::provenance::TransactionVerifier;
use std::path::Path;
use std::sync::Arc;

impl RuleSet {
    /// Loads every `*.rhai` file of `dir`, or none of them. `transaction_keys`
    /// verify what the core signs.
    pub fn load(
        dir: &Path,
        transaction_keys: impl Into<TransactionVerifier>,
    ) -> Result<RuleSet, LoadErrors> {
        let files = RuleFiles::read(dir).map_err(|e| LoadErrors(vec![e]))?;
        if files.rules.is_empty() {
            return Err(LoadErrors(vec![LoadError {
                file: dir.display().to_string(),
                cause: "there is no rule file (*.rhai) in it".to_owned(),
                next: "point the setting for rules at the folder with the rule files",
            }]));
        }
        RuleSet::build(&files, transaction_keys)
    }

    /// Compiles all of `files`, wherever they come from, or none of them.
    pub fn build(
        files: &RuleFiles,
        transaction_keys: impl Into<TransactionVerifier>,
    ) -> Result<RuleSet, LoadErrors> {
        RuleSet::build_with(build(), files, transaction_keys, |_, text| {
            Ok(text.to_owned())
        })
    }

    /// `script` turns a file's text, which was checked, into what is compiled.
    pub(crate) fn build_with(
        mut engine: Engine,
        files: &RuleFiles,
        transaction_keys: impl Into<TransactionVerifier>,
        script: impl Fn(&str, &str) -> Result<String, String>,
    ) -> Result<RuleSet, LoadErrors> {
        let mut errors = Vec::new();
        let library =
            RuleLibrary::compile(&mut engine, &files.lib, &script).unwrap_or_else(|wrong| {
                errors.extend(wrong);
                RuleLibrary::default()
            });
        let rules = compile_all(&engine, &library, files, &script, &mut errors);
        if rules.len() > MAX_RULES {
            errors.push(too_many(rules.len()));
        }
        if !errors.is_empty() {
            return Err(LoadErrors(errors));
        }
        let words = rules.iter().flat_map(|rule| rule.words.iter().cloned());
        Ok(RuleSet {
            engine,
            words: Arc::new(words.collect()),
            memory_bytes: DEFAULT_MEMORY_BYTES,
            plan: plan_of(&rules),
            transaction_keys: transaction_keys.into(),
            asks_balances: asks_balances(files),
            look_back_us: kafka_look_back(rules.iter().filter(|rule| rule.is_armed())),
            rules,
            hash: files.hash(),
            version: 0,
        })
    }
}

fn compile_all(
    engine: &Engine,
    library: &RuleLibrary,
    files: &RuleFiles,
    script: &impl Fn(&str, &str) -> Result<String, String>,
    errors: &mut Vec<LoadError>,
) -> Vec<CompiledRule> {
    let mut rules = Vec::new();
    let lib = files.lib_hash();
    for file in &files.rules {
        let hash = file.hash_with(lib.as_deref());
        match compile(engine, library, file, hash, script) {
            Ok(rule) => rules.push(rule),
            // Without its library, every rule would be wrong.
            Err(_) if !errors.is_empty() && library.is_empty() && !files.lib.is_empty() => {}
            Err(error) => errors.push(error),
        }
    }
    rules
}

fn too_many(rules: usize) -> LoadError {
    LoadError {
        file: "the set".to_owned(),
        cause: format!("{rules} rules are more than the {MAX_RULES} that fit"),
        next: "merge or remove rules",
    }
}

fn asks_balances(files: &RuleFiles) -> bool {
    let rules = files.rules.iter().map(|r| &r.text);
    let mut texts = rules.chain(files.lib.iter().map(|(_, text)| text));
    texts.any(|text| text.contains("balance_of"))
}
