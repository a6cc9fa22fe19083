//! The files of a rule set, wherever they are kept: a folder, or the table of sets.

use crate::rules::text::error::LoadError;
use crate::rules::text::rule_mode::RuleMode;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// The folder of the library, beside the rules.
const LIBRARY_FOLDER: &str = "lib";

/// One rule as a set holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    pub id: String,
    pub text: String,
    /// The cases file; empty if there is none.
    pub cases: String,
    /// The mode of the rule in this set; `None`: as its header says.
    pub mode: Option<RuleMode>,
    /// The rule runs beside an armed version of the same id. Its verdicts have ids of their
    /// own, so that neither hides the other's.
    pub candidate: bool,
}

/// All files of a set, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleFiles {
    pub rules: Vec<RuleFile>,
    /// Functions that every rule may call: `lib/<name>.rhai` with its text, by name.
    pub lib: Vec<(String, String)>,
    /// Cases files without a rule: an error of whoever wants to run them.
    pub orphans: Vec<String>,
}

impl RuleFile {
    /// 16 hex digits over name and text, without the library: see [`RuleFiles::hash_of`].
    pub fn hash(&self) -> String {
        self.hash_with(None)
    }

    /// Likewise, with the hash of the library that it may call.
    pub fn hash_with(&self, lib: Option<&str>) -> String {
        digest([self.id.as_str(), &self.text].into_iter().chain(lib))
    }
}

impl RuleFiles {
    /// Rule and cases files of `dir`, and its library.
    pub fn read(dir: &Path) -> Result<RuleFiles, LoadError> {
        let mut texts = texts_in(dir, "", &[".rhai", ".cases.toml"])?;
        if dir.join(LIBRARY_FOLDER).is_dir() {
            texts.extend(texts_in(&dir.join(LIBRARY_FOLDER), "lib/", &[".rhai"])?);
        }
        texts.sort();
        Ok(RuleFiles::of(texts))
    }

    /// Of names with their texts.
    pub fn of(texts: Vec<(String, String)>) -> RuleFiles {
        let mut files = RuleFiles::default();
        for (name, text) in &texts {
            if name.starts_with("lib/") {
                files.lib.push((name.clone(), text.clone()));
            } else if let Some(id) = name.strip_suffix(".rhai") {
                let file = RuleFile {
                    id: id.to_owned(),
                    text: text.clone(),
                    cases: String::new(),
                    mode: None,
                    candidate: false,
                };
                files.rules.push(file);
            }
        }
        let places: BTreeMap<String, usize> = files
            .rules
            .iter()
            .enumerate()
            .map(|(at, rule)| (rule.id.clone(), at))
            .collect();
        for (name, text) in texts {
            let Some(id) = name.strip_suffix(".cases.toml") else {
                continue;
            };
            match places.get(id).and_then(|at| files.rules.get_mut(*at)) {
                Some(rule) => rule.cases = text,
                None => files.orphans.push(name),
            }
        }
        files
    }

    /// 16 hex digits of a rule in this set: over its name, its text, and the library
    /// that it may call.
    pub fn hash_of(&self, file: &RuleFile) -> String {
        file.hash_with(self.lib_hash().as_deref())
    }

    /// 16 hex digits over the library; `None` if there is none.
    pub fn lib_hash(&self) -> Option<String> {
        let lib = self
            .lib
            .iter()
            .flat_map(|(name, text)| [name.as_str(), text]);
        (!self.lib.is_empty()).then(|| digest(lib))
    }

    /// 16 hex digits over everything that a set holds.
    pub fn hash(&self) -> String {
        let lib = self
            .lib
            .iter()
            .flat_map(|(name, text)| [name.as_str(), text]);
        let parts = self.rules.iter().flat_map(|r| {
            let mode = r.mode.map_or("", RuleMode::as_str);
            [
                r.id.as_str(),
                &r.text,
                &r.cases,
                mode,
                if r.candidate { "candidate" } else { "" },
            ]
        });
        digest(parts.chain(lib))
    }
}

/// Files of a folder with their texts; `before` comes before each name.
fn texts_in(
    dir: &Path,
    before: &str,
    endings: &[&str],
) -> Result<Vec<(String, String)>, LoadError> {
    let cant_read = |path: &Path, e: std::io::Error| LoadError {
        file: path.display().to_string(),
        cause: format!("can't be read: {e}"),
        next: "check that it exists, is text and may be read by this user",
    };
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| cant_read(dir, e))? {
        let entry = entry.map_err(|e| cant_read(dir, e))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A dot begins an editor's own files.
        if !name.starts_with('.') && endings.iter().any(|ending| name.ends_with(ending)) {
            let text =
                std::fs::read_to_string(entry.path()).map_err(|e| cant_read(&entry.path(), e))?;
            texts.push((format!("{before}{name}"), text));
        }
    }
    Ok(texts)
}

fn digest<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..8])
}

/// Longest rule file. The longest shipped one has 2 KiB.
pub(crate) const MAX_RULE_BYTES: usize = 64 * 1024;
