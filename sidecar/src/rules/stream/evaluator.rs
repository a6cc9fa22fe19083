//! The evaluator owns everything that lasts from one input to the next. One per stream,
//! single-threaded.

use crate::rules::compile::restart_margin::replay_margin;
use crate::rules::memory::account_holds::AccountHolds;
use crate::rules::memory::kept_columns::KeptColumns;
use crate::rules::memory::replay_marks::ReplayMarks;
use crate::rules::memory::watermarks::SourceWatermarks;
use crate::rules::runtime::call_context::SharedBalances;
use crate::rules::runtime::finding::RuleError;
use crate::rules::runtime::rule_meter::{RuleMeter, RuleUse};
use crate::rules::runtime::rule_selection::RuleSelection;
use crate::rules::runtime::rule_set::{CompiledRule, RuleSet};
use crate::rules::stream::dedup::DedupSet;
use crate::rules::stream::memory_shares::{memory_shares, new_memory};
use crate::rules::stream::ordering::FindingOrders;
use crate::rules::trigger::rule_memory::RuleMemory;
use crate::stream::offsets::PartitionOffsets;
use rhai::Scope;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Transactions by whose position a redelivery is recognised: more than a source
/// delivers twice after it lost its connection.
const MAX_RECENT_TRANSACTIONS: usize = 1 << 16;
/// Events likewise; upstreams re-emit by hand, hours later.
const MAX_RECENT_EVENTS: usize = 1 << 19;

/// Evaluates inputs in order. Its clock is the sources' watermarks, one for each.
pub struct Evaluator {
    pub(super) set: Arc<RuleSet>,
    pub(super) memories: Vec<RuleMemory>,
    /// Rules that remember something.
    pub(super) remember: Vec<usize>,
    pub(super) balances: SharedBalances,
    pub(super) watermarks: SourceWatermarks,
    /// The first watermark of each source, and where its inputs came.
    pub(super) first: SourceWatermarks,
    pub(super) marks: [ReplayMarks; 2],
    pub(super) margin_us: i64,
    pub(super) holds: AccountHolds,
    pub(super) scope: Scope<'static>,
    pub(super) transactions: DedupSet,
    pub(super) events: DedupSet,
    pub(super) errors: Vec<RuleError>,
    /// Rules that evaluators of this kind are for.
    pub(super) selection: RuleSelection,
    /// Whether any of them asks for balances.
    pub(super) learns: bool,
    pub(super) meter: RuleMeter,
    pub(super) kept_columns: KeptColumns,
    /// Whether partners may lie before what is read, and from when on events are read if
    /// there was no checkpoint; see `memory::read_bounds`.
    pub(super) live: Option<Option<i64>>,
    /// Rules of the selection that are this evaluator's; the others are another's (see `workers`).
    pub(super) assigned: Vec<bool>,
    /// Offsets of Kafka up to which events were judged before this run, if any were.
    pub(super) judged: Option<PartitionOffsets>,
    /// The order of findings, if somebody has to put them together with those of others.
    pub(super) orders: Option<FindingOrders>,
    /// Sources of which inputs are missing before their next watermark.
    pub(super) gap_marked: [bool; 2],
    /// The only rule to be evaluated, whatever its mode: in cases.
    pub(super) only: Option<usize>,
}

impl Evaluator {
    /// Evaluates all rules that are no drafts.
    pub fn new(set: Arc<RuleSet>) -> Self {
        let all = vec![true; set.rules.len()];
        Self::build(set, RuleSelection::Live, all)
    }

    /// Evaluates one rule alone, even in mode `draft`.
    pub fn of_one(set: Arc<RuleSet>, rule: usize) -> Self {
        let all = vec![true; set.rules.len()];
        Evaluator {
            only: Some(rule),
            ..Self::build(set, RuleSelection::Every, all)
        }
    }

    /// Evaluates the rules of the selection that `assigned` says.
    pub fn build(set: Arc<RuleSet>, selection: RuleSelection, assigned: Vec<bool>) -> Self {
        let assigned = assigned_of(&set, selection, assigned);
        let shares = memory_shares(&set, selection);
        let rules = set.rules.iter().zip(&assigned).zip(&shares);
        let memory = |((rule, assigned), share): ((&CompiledRule, &bool), &usize)| match assigned {
            true => new_memory(rule, *share, None),
            false => RuleMemory::None,
        };
        let memories: Vec<RuleMemory> = rules.map(memory).collect();
        Evaluator {
            margin_us: margin_us(&set, selection),
            learns: set.asks_balances(selection),
            kept_columns: KeptColumns::named(&set.words),
            meter: RuleMeter::default(),
            set,
            remember: with_memory(&memories),
            memories,
            balances: SharedBalances::default(),
            watermarks: [None; 2],
            first: [None; 2],
            marks: Default::default(),
            holds: AccountHolds::default(),
            scope: Scope::new(),
            transactions: DedupSet::new(MAX_RECENT_TRANSACTIONS),
            events: DedupSet::new(MAX_RECENT_EVENTS),
            errors: Vec::new(),
            selection,
            live: None,
            judged: None,
            assigned,
            orders: None,
            gap_marked: [false; 2],
            only: None,
        }
    }

    /// Reading begins somewhere: what may have its other half before that is not said to
    /// miss it. `kafka_from_us` is what Kafka is read from without a checkpoint, `judged` what
    /// it was evaluated up to by the one that there is.
    pub fn begins(&mut self, kafka_from_us: Option<i64>, judged: Option<PartitionOffsets>) {
        self.live = Some(kafka_from_us);
        self.judged = judged;
    }

    /// From now on keeps the order of each finding and error.
    pub fn keep_finding_orders(&mut self) {
        self.orders = Some(FindingOrders::default());
    }

    /// The orders since the last call: of findings, and of errors.
    pub fn take_orders(&mut self) -> FindingOrders {
        self.orders.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Inputs are missing here: a pair whose other half may be among them can't be
    /// judged.
    pub fn mark_gap(&mut self) {
        self.gap_marked = [true; 2];
        // A balance may have moved among them.
        self.balances = SharedBalances::default();
    }

    /// The clock jumps to `at_us`: another sidecar's went by its own. Until a partner would
    /// have been forgotten by then, nothing is said to be missing.
    pub fn doubt_until(&mut self, at_us: i64) {
        for memory in &mut self.memories {
            memory.mark_gap(at_us);
        }
    }

    /// Accounts with an open side of a rule in mode `trip` that holds; sorted.
    pub fn holds(&self) -> Vec<String> {
        self.holds.accounts()
    }

    /// Changes whenever `holds` does.
    pub fn holds_version(&self) -> u64 {
        self.holds.version()
    }

    /// Required sides that wait for their partner.
    pub fn open_pairs(&self) -> usize {
        self.remembering().map(RuleMemory::open_count).sum()
    }

    /// Memory that each rule takes, about, in bytes; by their numbers.
    pub fn memory_bytes(&self) -> Vec<usize> {
        self.memories.iter().map(RuleMemory::bytes).collect()
    }

    /// Pair rules that can't say anything now, because the other source lags.
    pub fn lagging(&self) -> usize {
        self.remembering().filter(|m| m.is_lagging()).count()
    }

    /// Ends a batch of inputs for the meter; see [`RuleMeter::settle`].
    pub fn settle_uses(&mut self) {
        self.meter.settle();
    }

    /// Bounds what rules may use from here on; see [`RuleMeter::allow`].
    pub fn allow(&mut self, left: Vec<Duration>, stop: CancellationToken) {
        self.meter.allow(left, stop);
    }

    /// Calls of each rule and their processor time, since the last call.
    pub fn take_uses(&mut self) -> Vec<RuleUse> {
        self.meter.take()
    }

    /// Errors of rules since the last call.
    pub fn errors(&mut self) -> Vec<RuleError> {
        std::mem::take(&mut self.errors)
    }

    /// The memories of rules that remember something.
    pub(super) fn remembering(&self) -> impl Iterator<Item = &RuleMemory> {
        let rules = self.remember.iter();
        rules.filter_map(|rule| self.memories.get(*rule))
    }
}

/// Rules of the selection among those assigned.
pub(super) fn assigned_of(
    set: &RuleSet,
    selection: RuleSelection,
    assigned: Vec<bool>,
) -> Vec<bool> {
    let rules = set.rules.iter().zip(assigned);
    rules
        .map(|(rule, assigned)| assigned && selection.contains(rule))
        .collect()
}

/// D of `memory::replay_marks` for the rules of the selection, in microseconds.
pub(super) fn margin_us(set: &RuleSet, selection: RuleSelection) -> i64 {
    replay_margin(set.selected(selection).map(|(_, rule)| rule))
}

/// Rules that remember something, by number.
pub(super) fn with_memory(memories: &[RuleMemory]) -> Vec<usize> {
    let remember = memories
        .iter()
        .enumerate()
        .filter(|(_, memory)| !memory.is_none());
    remember.map(|(rule, _)| rule).collect()
}
