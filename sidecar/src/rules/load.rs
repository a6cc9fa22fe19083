//! Loading of rule files: all of them or none.

use super::engine::build;
use super::header::{self, Header, Mode, Require, Trigger};
use super::tables;
use rhai::{AST, Engine};
use sha2::{Digest, Sha256};
use sluice_contract::settings::Secret;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Longest rule file. The longest shipped one has 2 KiB.
const MOST_BYTES: usize = 64 * 1024;
/// Most rules in a set; each costs something on every change.
const MOST_RULES: usize = 1_000;

/// A rule, ready to be called.
pub(super) struct Rule {
    pub header: Arc<Header>,
    pub hash: String,
    pub ast: AST,
}

/// Compiled rules. Immutable and shared between threads.
pub struct RuleSet {
    pub(super) engine: Engine,
    pub(super) rules: Vec<Rule>,
    pub(super) plan: Plan,
    pub(super) provenance_key: Secret,
    hash: String,
}

/// Which rules look at what, by place in `RuleSet::rules`.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Row and window rules and sides of pairs, for each table of the catalogue.
    pub by_table: Vec<Vec<Watch>>,
    pub by_event: Vec<(String, Watch)>,
    /// Transaction rules with a bit for each table.
    pub transactions: Vec<(usize, u32)>,
    pub pairs: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watch {
    Single(usize),
    Window(usize),
    /// Rule and side (0 left, 1 right).
    Pair(usize, usize),
}

/// A file that can't be loaded, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    pub file: String,
    pub cause: String,
    pub next: &'static str,
}

/// Every bad file of a set. The last good set stays in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadErrors(pub Vec<LoadError>);

impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, e) in self.0.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{}: {}; {}", e.file, e.cause, e.next)?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadErrors {}

impl RuleSet {
    /// Loads every `*.rhai` file of `dir`, or none of them. `provenance_key` is
    /// what the core signs its transactions with.
    pub fn load(dir: &Path, provenance_key: Secret) -> Result<RuleSet, LoadErrors> {
        let files = read_all(dir).map_err(|e| LoadErrors(vec![e]))?;
        let engine = build();
        let mut rules = Vec::new();
        let mut errors = Vec::new();
        for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".rhai")) {
            match compile(&engine, name, text) {
                Ok(rule) => rules.push(rule),
                Err(error) => errors.push(error),
            }
        }
        if rules.len() > MOST_RULES {
            errors.push(LoadError {
                file: dir.display().to_string(),
                cause: format!("{} rules are more than the {MOST_RULES} that fit", rules.len()),
                next: "merge or remove rules",
            });
        }
        if rules.is_empty() && errors.is_empty() {
            errors.push(LoadError {
                file: dir.display().to_string(),
                cause: "there is no rule file (*.rhai) in it".to_owned(),
                next: "point the setting for rules at the folder with the rule files",
            });
        }
        if !errors.is_empty() {
            return Err(LoadErrors(errors));
        }
        let plan = Plan::of(&rules);
        Ok(RuleSet { engine, rules, plan, provenance_key, hash: hash_of(&files) })
    }

    /// Sets rules to `draft` that can't decide without seeing `tables`; returns their
    /// ids. A rule that also looks at others decides by those.
    pub fn without(&mut self, tables: &[&str]) -> Vec<String> {
        let unseen = |table: &String| tables.contains(&table.as_str());
        let mut asleep = Vec::new();
        for rule in &mut self.rules {
            let blind = match &rule.header.trigger {
                Trigger::Row { table, .. } | Trigger::Window { table, .. } => unseen(table),
                Trigger::Transaction { tables } => tables.iter().all(unseen),
                Trigger::Pair { left, right, .. } => [left, right].iter().any(|s| s.table.as_ref().is_some_and(unseen)),
                Trigger::Event { .. } => false,
            };
            if blind {
                Arc::make_mut(&mut rule.header).mode = Mode::Draft;
                asleep.push(rule.header.id.clone());
            }
        }
        asleep
    }

    /// 16 hex digits over the names and contents of all files of the set.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The headers of all rules, by id.
    pub fn rules(&self) -> impl Iterator<Item = &Header> {
        self.rules.iter().map(|r| &*r.header)
    }
}

impl fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleSet").field("hash", &self.hash).field("rules", &self.rules.len()).finish()
    }
}

/// Rule and cases files of `dir`, sorted by name.
pub(super) fn read_all(dir: &Path) -> Result<Vec<(String, String)>, LoadError> {
    let cant_read = |path: &Path, e: std::io::Error| LoadError {
        file: path.display().to_string(),
        cause: format!("can't be read: {e}"),
        next: "check that it exists, is text and may be read by this user",
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| cant_read(dir, e))? {
        let entry = entry.map_err(|e| cant_read(dir, e))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A dot begins an editor's own files.
        if !name.starts_with('.') && (name.ends_with(".rhai") || name.ends_with(".cases.toml")) {
            let text = std::fs::read_to_string(entry.path()).map_err(|e| cant_read(&entry.path(), e))?;
            files.push((name, text));
        }
    }
    files.sort();
    Ok(files)
}

fn hash_of(files: &[(String, String)]) -> String {
    let mut hash = Sha256::new();
    for (name, text) in files {
        for part in [name, text] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    hex::encode(&hash.finalize()[..8])
}

fn compile(engine: &Engine, name: &str, text: &str) -> Result<Rule, LoadError> {
    let bad = |cause: String, next: &'static str| LoadError { file: name.to_owned(), cause, next };
    if text.len() > MOST_BYTES {
        return Err(bad(format!("is {} bytes long; a rule has at most {MOST_BYTES}", text.len()), "split the rule"));
    }
    let stem = name.strip_suffix(".rhai").unwrap_or(name);
    let header = header::parse(stem, text).map_err(|e| bad(e, "correct the header and save the file"))?;
    let ast = engine
        .compile(text)
        .map_err(|e| bad(format!("can't be compiled: {e}"), "correct the rule and save the file"))?;
    check_functions(&header.trigger, &ast).map_err(|e| bad(e, "define exactly what the trigger calls"))?;
    let hash = hash_of(&[(name.to_owned(), text.to_owned())]);
    Ok(Rule { header: Arc::new(header), hash, ast })
}

fn check_functions(trigger: &Trigger, ast: &AST) -> Result<(), String> {
    let has = |name: &str, arity: usize| ast.iter_functions().any(|f| f.name == name && f.params.len() == arity);
    let check = match trigger {
        Trigger::Row { .. } => ("fn check(row)", 1),
        Trigger::Transaction { .. } => ("fn check(tx)", 1),
        Trigger::Event { .. } => ("fn check(event)", 1),
        Trigger::Window { .. } => ("fn check(row, earlier)", 2),
        Trigger::Pair { .. } => ("fn check(left, right)", 2),
    };
    if !has("check", check.1) {
        return Err(format!("there is no `{}`", check.0));
    }
    match trigger {
        Trigger::Pair { require, .. } if *require != Require::None && !has("missing", 1) => {
            Err("there is no `fn missing(one)`, which `require` calls".to_owned())
        }
        _ => Ok(()),
    }
}

impl Plan {
    fn of(rules: &[Rule]) -> Plan {
        let mut plan = Plan { by_table: vec![Vec::new(); tables::TABLES.len()], ..Plan::default() };
        for (at, rule) in rules.iter().enumerate() {
            match &rule.header.trigger {
                Trigger::Row { table, .. } => plan.watch_table(table, Watch::Single(at)),
                Trigger::Window { table, .. } => plan.watch_table(table, Watch::Window(at)),
                Trigger::Event { event } => plan.by_event.push((event.clone(), Watch::Single(at))),
                Trigger::Transaction { tables } => {
                    let bits = tables.iter().filter_map(|t| tables::find(t)).fold(0, |bits, t| bits | (1 << t));
                    plan.transactions.push((at, bits));
                }
                Trigger::Pair { left, right, .. } => {
                    plan.pairs.push(at);
                    for (side, declared) in [left, right].into_iter().enumerate() {
                        match (&declared.table, &declared.event) {
                            (Some(table), _) => plan.watch_table(table, Watch::Pair(at, side)),
                            (None, Some(event)) => plan.by_event.push((event.clone(), Watch::Pair(at, side))),
                            (None, None) => {}
                        }
                    }
                }
            }
        }
        plan
    }

    fn watch_table(&mut self, table: &str, watch: Watch) {
        if let Some(watches) = tables::find(table).and_then(|t| self.by_table.get_mut(t)) {
            watches.push(watch);
        }
    }
}
