//! Loading of rule files: all of them or none.

use super::engine::build;
use super::files::{Files, RuleFile};
use super::header::{self, Header, Mode, Require, Trigger};
use super::library::{self, Library};
use super::names;
use super::tables::{self, TABLES};
use super::tokens::Tokens;
use crate::change::Of;
use ahash::AHashMap;
use rhai::{AST, Engine};
use sluice_contract::settings::Secret;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Longest rule file. The longest shipped one has 2 KiB.
pub(super) const MOST_BYTES: usize = 64 * 1024;
/// Most rules in a set: about 20 KiB each. A rule costs something only on the tables
/// and events that it watches.
const MOST_RULES: usize = 10_000;
/// Functions that a rule or the library must not make its own.
const RESERVED: [&str; 5] = [
    "violation",
    "param",
    "balance_of",
    library::CONDITION,
    library::ENTERED,
];

/// A rule, ready to be called.
pub(super) struct Rule {
    pub header: Arc<Header>,
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
    pub(super) engine: Engine,
    pub(super) rules: Vec<Rule>,
    pub(super) plan: Plan,
    pub(super) provenance_key: Secret,
    /// Whether any rule asks for balances.
    pub(super) asks_balances: bool,
    hash: String,
    version: i64,
}

/// Which rules look at what, by place in `RuleSet::rules`.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Row and window rules and sides of pairs, for each table of the catalogue.
    pub by_table: Vec<Vec<Watch>>,
    /// Event rules and sides of pairs, by the event's kind.
    pub by_event: AHashMap<String, Vec<Watch>>,
    /// Transaction rules, for each table of the catalogue.
    pub transactions: Vec<Vec<usize>>,
    /// Rules over data at rest, by what they look at.
    pub at_rest: Vec<(Of, usize)>,
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
        let files = Files::read(dir).map_err(|e| LoadErrors(vec![e]))?;
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
    pub fn build(files: &Files, provenance_key: Secret) -> Result<RuleSet, LoadErrors> {
        RuleSet::build_with(
            build(),
            files,
            provenance_key,
            |_, text| Ok(text.to_owned()),
        )
    }

    /// `script` turns a file's text, which was checked, into what is compiled.
    pub(super) fn build_with(
        mut engine: Engine,
        files: &Files,
        provenance_key: Secret,
        script: impl Fn(&str, &str) -> Result<String, String>,
    ) -> Result<RuleSet, LoadErrors> {
        let mut errors = Vec::new();
        let library = Library::compile(&mut engine, &files.lib, &script).unwrap_or_else(|wrong| {
            errors.extend(wrong);
            Library::default()
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
        if rules.len() > MOST_RULES {
            errors.push(LoadError {
                file: "the set".to_owned(),
                cause: format!(
                    "{} rules are more than the {MOST_RULES} that fit",
                    rules.len()
                ),
                next: "merge or remove rules",
            });
        }
        if !errors.is_empty() {
            return Err(LoadErrors(errors));
        }
        let plan = Plan::of(&rules);
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
                Arc::make_mut(&mut rule.header).mode = Mode::Draft;
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
            if rule.header.mode == Mode::Draft {
                continue;
            }
            let named = TABLES
                .iter()
                .enumerate()
                .filter(|(at, _)| rule.names & (1 << at) != 0);
            // Every server has an outbox.
            let mut servers = named
                .filter(|(_, t)| t.name != "outbox")
                .map(|(_, t)| server_of(t.name));
            let first = servers.next();
            if servers.any(|server| Some(server) != first) {
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

    /// See `marks::look_back`.
    pub fn look_back_us(&self) -> i64 {
        super::marks::look_back(&self.rules)
    }

    /// The headers of all rules, by id.
    pub fn rules(&self) -> impl Iterator<Item = &Header> {
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

fn compile(
    engine: &Engine,
    library: &Library,
    file: &RuleFile,
    hash: String,
    script: impl Fn(&str, &str) -> Result<String, String>,
) -> Result<Rule, LoadError> {
    let name = format!("{}.rhai", file.id);
    let bad = |cause: String, next: &'static str| LoadError {
        file: name.clone(),
        cause,
        next,
    };
    if file.text.len() > MOST_BYTES {
        let cause = format!(
            "is {} bytes long; a rule has at most {MOST_BYTES}",
            file.text.len()
        );
        return Err(bad(cause, "split the rule"));
    }
    let mut header = header::parse(&file.id, &file.text)
        .map_err(|e| bad(e, "correct the header and save the file"))?;
    header.mode = file.mode.unwrap_or(header.mode);
    let uncompiled = |e: String| {
        bad(
            format!("can't be compiled: {e}"),
            "correct the rule and save the file",
        )
    };
    let mut ast = engine
        .compile(&file.text)
        .map_err(|e| uncompiled(e.to_string()))?;
    check_functions(&header.trigger, &ast)
        .map_err(|e| bad(e, "define exactly what the trigger calls"))?;
    library
        .check_names(&ast)
        .map_err(|e| bad(e, "give the function another name"))?;
    let tokens = Tokens::of(&file.text);
    names::check(&header, &tokens).map_err(|e| bad(e, "correct the name and save the file"))?;
    let script = script(&name, &file.text).map_err(|e| bad(e, "write it in a simpler way"))?;
    if script != file.text {
        ast = engine
            .compile(&script)
            .map_err(|e| uncompiled(e.to_string()))?;
    }
    let names = tables::named(&file.text);
    let asks = library.asks()
        || ["param", "balance_of"]
            .iter()
            .any(|name| file.text.contains(name));
    Ok(Rule {
        header: Arc::new(header),
        hash,
        candidate: file.candidate,
        names,
        ast,
        asks,
    })
}

/// Refuses functions that would take the place of what rules are given.
pub(super) fn check_reserved(ast: &AST) -> Result<(), String> {
    match ast.iter_functions().find(|f| RESERVED.contains(&f.name)) {
        Some(f) => Err(format!(
            "defines `fn {}`, which every rule is given already",
            f.name
        )),
        None => Ok(()),
    }
}

fn check_functions(trigger: &Trigger, ast: &AST) -> Result<(), String> {
    let has = |name: &str, arity: usize| {
        ast.iter_functions()
            .any(|f| f.name == name && f.params.len() == arity)
    };
    let check = match trigger {
        Trigger::Row { .. } => ("fn check(row)", 1),
        Trigger::Transaction { .. } => ("fn check(tx)", 1),
        Trigger::Event { .. } => ("fn check(event)", 1),
        Trigger::Audit { .. } => ("fn check(item)", 1),
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
        let mut plan = Plan {
            by_table: vec![Vec::new(); tables::TABLES.len()],
            transactions: vec![Vec::new(); tables::TABLES.len()],
            ..Plan::default()
        };
        for (at, rule) in rules.iter().enumerate() {
            match &rule.header.trigger {
                Trigger::Row { table, .. } => plan.watch_table(table, Watch::Single(at)),
                Trigger::Window { table, .. } => plan.watch_table(table, Watch::Window(at)),
                Trigger::Event { event } => plan.watch_event(event, Watch::Single(at)),
                Trigger::Audit { of } => plan.at_rest.push((*of, at)),
                Trigger::Transaction { tables } => {
                    for table in tables.iter().filter_map(|t| tables::find(t)) {
                        plan.transactions[table].push(at);
                    }
                }
                Trigger::Pair { left, right, .. } => {
                    for (side, declared) in [left, right].into_iter().enumerate() {
                        match (&declared.table, &declared.event) {
                            (Some(table), _) => plan.watch_table(table, Watch::Pair(at, side)),
                            (None, Some(event)) => plan.watch_event(event, Watch::Pair(at, side)),
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

    fn watch_event(&mut self, event: &str, watch: Watch) {
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
