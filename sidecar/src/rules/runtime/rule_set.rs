//! A rule set: compiled rules and the plan of what each one watches.

use crate::rules::compile::{MAX_RULES, compile};
use crate::rules::runtime::engine::build;
use crate::rules::text::error::{LoadError, LoadErrors};
use crate::rules::text::files::RuleFiles;
use crate::rules::text::header::{RuleHeader, RuleMode};
use crate::rules::text::library::RuleLibrary;
use crate::rules::text::tables::{self, CATALOG_TABLES};
use crate::rules::text::trigger_header::Trigger;
use crate::stream::change::AuditSubject;
use ahash::AHashMap;
use rhai::{AST, Engine};
use sluice_contract::settings::Secret;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A rule, ready to be called.
pub struct CompiledRule {
    pub header: Arc<RuleHeader>,
    pub hash: String,
    /// See [`RuleFile::candidate`].
    pub candidate: bool,
    /// Tables that its code names, a bit for each.
    pub names: u32,
    pub ast: AST,
    /// Whether it asks for parameters or balances.
    pub asks: bool,
}

/// Compiled rules. Immutable and shared between threads.
pub struct RuleSet {
    pub(crate) engine: Engine,
    pub(crate) rules: Vec<CompiledRule>,
    pub(crate) plan: RulePlan,
    pub(crate) provenance_key: Secret,
    /// Whether any rule asks for balances.
    pub(crate) asks_balances: bool,
    hash: String,
    version: i64,
}

/// Which rules look at what, by place in `RuleSet::rules`.
#[derive(Debug, Default)]
pub(crate) struct RulePlan {
    /// Row and window rules and sides of pairs, for each table of the catalogue.
    pub by_table: Vec<Vec<RuleWatch>>,
    /// Event rules and sides of pairs, by the event's kind.
    pub by_event: AHashMap<String, Vec<RuleWatch>>,
    /// Transaction rules, for each table of the catalogue.
    pub transactions: Vec<Vec<usize>>,
    /// Rules over data at rest, by what they look at.
    pub at_rest: Vec<(AuditSubject, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleWatch {
    Single(usize),
    Window(usize),
    /// Rule and side (0 left, 1 right).
    Pair(usize, usize),
}

impl RuleSet {
    /// Loads every `*.rhai` file of `dir`, or none of them. `provenance_key` is
    /// what the core signs its transactions with.
    pub fn load(dir: &Path, provenance_key: Secret) -> Result<RuleSet, LoadErrors> {
        let files = RuleFiles::read(dir).map_err(|e| LoadErrors(vec![e]))?;
        if files.rules.is_empty() {
            return Err(LoadErrors(vec![LoadError {
                file: dir.display().to_string(),
                cause: "there is no rule file (*.rhai) in it".to_owned(),
                next: "point the setting for rules at the folder with the rule files",
            }]));
        }
        RuleSet::build(&files, provenance_key)
    }

    /// Compiles all of `files`, wherever they come from, or none of them.
    pub fn build(files: &RuleFiles, provenance_key: Secret) -> Result<RuleSet, LoadErrors> {
        RuleSet::build_with(
            build(),
            files,
            provenance_key,
            |_, text| Ok(text.to_owned()),
        )
    }

    /// `script` turns a file's text, which was checked, into what is compiled.
    pub(crate) fn build_with(
        mut engine: Engine,
        files: &RuleFiles,
        provenance_key: Secret,
        script: impl Fn(&str, &str) -> Result<String, String>,
    ) -> Result<RuleSet, LoadErrors> {
        let mut errors = Vec::new();
        let library =
            RuleLibrary::compile(&mut engine, &files.lib, &script).unwrap_or_else(|wrong| {
                errors.extend(wrong);
                RuleLibrary::default()
            });
        let mut rules = Vec::new();
        let lib = files.lib_hash();
        for file in &files.rules {
            match compile(
                &engine,
                &library,
                file,
                file.hash_with(lib.as_deref()),
                &script,
            ) {
                Ok(rule) => rules.push(rule),
                // Without its library, every rule would be wrong.
                Err(_) if !errors.is_empty() && library.is_empty() && !files.lib.is_empty() => {}
                Err(error) => errors.push(error),
            }
        }
        if rules.len() > MAX_RULES {
            errors.push(LoadError {
                file: "the set".to_owned(),
                cause: format!(
                    "{} rules are more than the {MAX_RULES} that fit",
                    rules.len()
                ),
                next: "merge or remove rules",
            });
        }
        if !errors.is_empty() {
            return Err(LoadErrors(errors));
        }
        let plan = RulePlan::of(&rules);
        let texts = files
            .rules
            .iter()
            .map(|r| &r.text)
            .chain(files.lib.iter().map(|(_, text)| text));
        let asks_balances = texts.into_iter().any(|text| text.contains("balance_of"));
        Ok(RuleSet {
            engine,
            rules,
            plan,
            provenance_key,
            asks_balances,
            hash: files.hash(),
            version: 0,
        })
    }

    /// As the version of that number.
    #[must_use]
    pub fn numbered(mut self, version: i64) -> RuleSet {
        self.version = version;
        self
    }

    /// The version in the table of sets; 0 outside of it.
    pub fn version(&self) -> i64 {
        self.version
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
                Trigger::Pair { left, right, .. } => [left, right]
                    .iter()
                    .any(|s| s.table.as_ref().is_some_and(unseen)),
                // A snapshot reads the tables themselves, wherever they are.
                Trigger::Event { .. } | Trigger::Audit { .. } => false,
            };
            if blind {
                Arc::make_mut(&mut rule.header).mode = RuleMode::Draft;
                asleep.push(rule.header.id.clone());
            }
        }
        asleep
    }

    /// Sets transaction rules to `draft` whose code compares tables of different servers;
    /// returns their ids. No transaction has rows of both. A rule that looks at many
    /// tables and names none of them, such as provenance, judges each server's part.
    pub fn apart(&mut self, server_of: impl Fn(&str) -> Option<usize>) -> Vec<String> {
        let mut asleep = Vec::new();
        for rule in &mut self.rules {
            let Trigger::Transaction { .. } = rule.header.trigger else {
                continue;
            };
            if rule.header.mode == RuleMode::Draft {
                continue;
            }
            let named = CATALOG_TABLES
                .iter()
                .enumerate()
                .filter(|(at, _)| rule.names & (1 << at) != 0);
            // Every server has an outbox.
            let mut servers = named
                .filter(|(_, t)| t.name != "outbox")
                .map(|(_, t)| server_of(t.name));
            let first = servers.next();
            if servers.any(|server| Some(server) != first) {
                Arc::make_mut(&mut rule.header).mode = RuleMode::Draft;
                asleep.push(rule.header.id.clone());
            }
        }
        asleep
    }

    /// 16 hex digits over the names and contents of all files of the set.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// See `marks::look_back`.
    pub fn look_back_us(&self) -> i64 {
        crate::rules::trigger::restart::kafka_look_back(&self.rules)
    }

    /// The headers of all rules, by id.
    pub fn rules(&self) -> impl Iterator<Item = &RuleHeader> {
        self.rules.iter().map(|r| &*r.header)
    }
}

impl fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleSet")
            .field("hash", &self.hash)
            .field("rules", &self.rules.len())
            .finish()
    }
}

impl RulePlan {
    pub fn of(rules: &[CompiledRule]) -> RulePlan {
        let mut plan = RulePlan {
            by_table: vec![Vec::new(); tables::CATALOG_TABLES.len()],
            transactions: vec![Vec::new(); tables::CATALOG_TABLES.len()],
            ..RulePlan::default()
        };
        for (at, rule) in rules.iter().enumerate() {
            match &rule.header.trigger {
                Trigger::Row { table, .. } => plan.watch_table(table, RuleWatch::Single(at)),
                Trigger::Window { table, .. } => plan.watch_table(table, RuleWatch::Window(at)),
                Trigger::Event { event } => plan.watch_event(event, RuleWatch::Single(at)),
                Trigger::Audit { of } => plan.at_rest.push((*of, at)),
                Trigger::Transaction { tables } => {
                    for table in tables.iter().filter_map(|t| tables::find(t)) {
                        plan.transactions[table].push(at);
                    }
                }
                Trigger::Pair { left, right, .. } => {
                    for (side, declared) in [left, right].into_iter().enumerate() {
                        match (&declared.table, &declared.event) {
                            (Some(table), _) => plan.watch_table(table, RuleWatch::Pair(at, side)),
                            (None, Some(event)) => {
                                plan.watch_event(event, RuleWatch::Pair(at, side))
                            }
                            (None, None) => {}
                        }
                    }
                }
            }
        }
        plan
    }

    fn watch_table(&mut self, table: &str, watch: RuleWatch) {
        if let Some(watches) = tables::find(table).and_then(|t| self.by_table.get_mut(t)) {
            watches.push(watch);
        }
    }

    fn watch_event(&mut self, event: &str, watch: RuleWatch) {
        self.by_event
            .entry(event.to_owned())
            .or_default()
            .push(watch);
    }

    /// Transaction rules that watch any of the tables of these bits, each once, in order.
    pub fn of_tables(&self, touched: u32) -> Vec<usize> {
        let watched = self
            .transactions
            .iter()
            .enumerate()
            .filter(|(table, _)| touched & (1 << table) != 0);
        let mut rules: Vec<usize> = watched.flat_map(|(_, rules)| rules).copied().collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }
}
