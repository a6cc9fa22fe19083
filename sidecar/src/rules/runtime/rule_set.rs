//! A rule set: compiled rules and the plan of what each one watches. `compile` builds it.

use crate::rules::runtime::rule_plan::RulePlan;
use crate::rules::text::header::RuleHeader;
use crate::rules::text::rule_mode::RuleMode;
use rhai::{AST, Engine};
use sluice_contract::provenance::TransactionVerifier;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Memory of all rules where nobody sets it, in bytes.
pub const DEFAULT_MEMORY_BYTES: usize = 1 << 30;

/// A rule, ready to be called.
pub struct CompiledRule {
    pub header: Arc<RuleHeader>,
    pub hash: String,
    /// See `RuleFile::candidate`.
    pub candidate: bool,
    /// Tables that its code names, a bit for each.
    pub names: u32,
    pub ast: AST,
    /// Whether it asks for parameters or balances.
    pub asks: bool,
    /// Words of its text and of the library.
    pub words: BTreeSet<String>,
}

impl CompiledRule {
    /// Whether it pages somebody or stops money. A candidate does neither, whatever its text says.
    pub fn is_armed(&self) -> bool {
        !self.candidate
            && match self.header.mode {
                RuleMode::Alert | RuleMode::Trip => true,
                RuleMode::Draft | RuleMode::Shadow => false,
            }
    }
}

/// Compiled rules. Immutable and shared between threads.
pub struct RuleSet {
    pub(crate) engine: Engine,
    pub(crate) rules: Vec<CompiledRule>,
    pub(crate) plan: RulePlan,
    pub(crate) transaction_keys: TransactionVerifier,
    /// Whether any text asks for balances.
    pub(in crate::rules) asks_balances: bool,
    pub(in crate::rules) look_back_us: i64,
    /// Words of all texts: no rule reads a column that is not among them.
    pub(in crate::rules) words: Arc<BTreeSet<String>>,
    /// Memory of all rules, in bytes.
    pub(in crate::rules) memory_bytes: usize,
    pub(in crate::rules) hash: String,
    pub(in crate::rules) version: i64,
}

impl RuleSet {
    /// As the version of that number.
    #[must_use]
    pub fn numbered(mut self, version: i64) -> RuleSet {
        self.version = version;
        self
    }

    /// With a bound of the memory that its rules may take together, in bytes.
    #[must_use]
    pub fn within(mut self, memory_bytes: usize) -> RuleSet {
        self.memory_bytes = memory_bytes;
        self
    }

    /// The version in the table of sets; 0 outside of it.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// 16 hex digits over the names and contents of all files of the set.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The time for which Kafka is read back without a checkpoint, in microseconds
    /// (`compile::restart_margin`).
    pub fn look_back_us(&self) -> i64 {
        self.look_back_us
    }

    /// Id of a rule whose code, or its library's, has this word: comments and texts that are
    /// written out don't count.
    pub fn rule_that_reads(&self, word: &str) -> Option<&str> {
        let mut reads = self.rules.iter().filter(|rule| rule.words.contains(word));
        reads.next().map(|rule| rule.header.id.as_str())
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
