//! The evaluator: routes each input to the rules that watch it. One per stream,
//! single-threaded; it owns everything that lasts from one input to the next.

use crate::rules::memory::account_holds::AccountHolds;
use crate::rules::memory::keyed_log::{KeyedLog, UNTIMED_US};
use crate::rules::memory::paired_item::PairedItem;
use crate::rules::memory::replay_marks::{MAX_LOOK_BACK_US, ReadBounds, ReplayMarks};
use crate::rules::memory::watermarks::{SourceWatermarks, source_index};
use crate::rules::runtime::call_context::SharedBalances;
use crate::rules::runtime::finding::{Finding, RuleError};
use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::runtime::rule_set::{RuleSet, RuleWatch};
use crate::rules::runtime::tx::TransactionView;
use crate::rules::runtime::types::{EventView, RowPosition, RowView};
use crate::rules::stream::dedup::DedupSet;
use crate::rules::stream::ordering::{FindingOrders, record_order};
use crate::rules::stream::state_successors::state_successors;
use crate::rules::text::header::RuleMode;
use crate::rules::text::tables;
use crate::rules::text::trigger_header::Trigger;
use crate::rules::trigger::matching::{
    account_of_change, column_value, event_key, has_changed, key_of, passes, row_key,
};
use crate::rules::trigger::pair::{self, PairClock, PairMemory, PairTerms};
use crate::rules::trigger::restart::replay_margin;
use crate::rules::trigger::window;
use crate::rules::trigger::{RuleMemory, audit};
use crate::stream::change::{
    ChangeTransaction, ReceivedEvent, RowChange, RuleInput, SourceKind, TableSchema,
};
use rhai::Scope;
use std::sync::{Arc, PoisonError};

/// Transactions by whose position a redelivery is recognised: more than a source
/// delivers twice after it lost its connection.
const MAX_RECENT_TRANSACTIONS: usize = 1 << 16;
/// Events likewise; upstreams re-emit by hand, hours later.
const MAX_RECENT_EVENTS: usize = 1 << 19;

/// Evaluates inputs in order. Its clock is the sources' watermarks, one for each.
pub struct Evaluator {
    set: Arc<RuleSet>,
    memories: Vec<RuleMemory>,
    /// Rules that remember something.
    remember: Vec<usize>,
    balances: SharedBalances,
    watermarks: SourceWatermarks,
    /// The first watermark of each source, and where its inputs came.
    first: SourceWatermarks,
    marks: [ReplayMarks; 2],
    margin_us: i64,
    holds: AccountHolds,
    scope: Scope<'static>,
    transactions: DedupSet,
    events: DedupSet,
    errors: Vec<RuleError>,
    /// Whether drafts are evaluated too: in backtests only.
    drafts: bool,
    /// Whether partners may lie before what is read, and from when on events are read if
    /// there was no checkpoint; see `marks::Known`.
    live: Option<Option<i64>>,
    /// Which rules are this evaluator's; the others are another's (see `workers`).
    assigned: Vec<bool>,
    /// Where what is found belongs, if somebody has to put it in order.
    places: Option<FindingOrders>,
    /// Sources of which inputs are missing before their next watermark.
    gap_marked: [bool; 2],
    /// The only rule to be evaluated, whatever its mode: in cases.
    only: Option<usize>,
}

impl Evaluator {
    pub fn new(set: Arc<RuleSet>) -> Self {
        let all = vec![true; set.rules.len()];
        Self::build(set, false, all)
    }

    /// Evaluates one rule alone, even in mode `draft`.
    pub fn of_one(set: Arc<RuleSet>, rule: usize) -> Self {
        let all = vec![true; set.rules.len()];
        Evaluator {
            only: Some(rule),
            ..Self::build(set, false, all)
        }
    }

    /// Evaluates the rules that `assigned` says.
    pub fn build(set: Arc<RuleSet>, drafts: bool, assigned: Vec<bool>) -> Self {
        let memory = |(rule, assigned): (&crate::rules::runtime::rule_set::CompiledRule, &bool)| {
            match assigned {
                true => RuleMemory::of(&rule.header.trigger, rule.header.mode, None),
                false => RuleMemory::None,
            }
        };
        let memories: Vec<RuleMemory> = set.rules.iter().zip(&assigned).map(memory).collect();
        Evaluator {
            margin_us: replay_margin(&set.rules),
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
            drafts,
            live: None,
            assigned,
            places: None,
            gap_marked: [false; 2],
            only: None,
        }
    }

    /// Reading begins somewhere: what may have its other half before that is not said to
    /// miss it. `kafka_from_us` is what Kafka is read from without a checkpoint.
    pub fn begins(&mut self, kafka_from_us: Option<i64>) {
        self.live = Some(kafka_from_us);
    }

    /// From now on says where each finding and error belongs.
    pub fn keep_finding_orders(&mut self) {
        self.places = Some(FindingOrders::default());
    }

    /// The places since the last call: of findings, and of errors.
    pub fn places(&mut self) -> FindingOrders {
        self.places.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Inputs are missing here: a pair whose other half may be among them can't be
    /// judged.
    pub fn mark_gap(&mut self) {
        self.gap_marked = [true; 2];
    }

    /// Takes over another rule set. A rule with the same id and trigger keeps what
    /// it remembers.
    pub fn swap(&mut self, set: Arc<RuleSet>) {
        let all = vec![true; set.rules.len()];
        self.swap_assigned(set, all);
    }

    /// A rule that was this evaluator's must still be.
    pub fn swap_assigned(&mut self, set: Arc<RuleSet>, assigned: Vec<bool>) {
        self.assigned = assigned;
        let old = std::mem::replace(&mut self.set, set);
        self.margin_us = replay_margin(&self.set.rules);
        let mut memories: Vec<RuleMemory> = std::mem::take(&mut self.memories);
        let now_us = self.watermarks.iter().flatten().max().copied();
        let state_successors = state_successors(&old, &self.set);
        for ((rule, assigned), successor) in self
            .set
            .rules
            .iter()
            .zip(&self.assigned)
            .zip(state_successors)
        {
            if !assigned {
                self.memories.push(RuleMemory::None);
                continue;
            }
            let header = &rule.header;
            let kept = successor.and_then(|at| memories.get_mut(at));
            let mut memory = match kept {
                Some(memory) => std::mem::replace(memory, RuleMemory::None),
                None => RuleMemory::of(&header.trigger, header.mode, now_us),
            };
            if let (RuleMemory::Pairs(pairs), Some(terms)) =
                (&mut memory, PairTerms::of(&header.trigger, header.mode))
            {
                pairs.adopt(&mut self.holds, terms);
            }
            self.memories.push(memory);
        }
        for memory in &memories {
            if let RuleMemory::Pairs(pairs) = memory {
                pairs.release(&mut self.holds);
            }
        }
        self.remember = with_memory(&self.memories);
    }

    /// Evaluates one input; findings are appended in the order of changes and rules.
    pub fn evaluate(&mut self, input: &RuleInput, out: &mut Vec<Finding>) {
        self.places.iter_mut().for_each(FindingOrders::next_input);
        match input {
            RuleInput::Transaction(transaction) => self.transaction(transaction, out),
            RuleInput::Event(event) => self.event(event, out),
            RuleInput::AtRest(fact) => {
                let set = Arc::clone(&self.set);
                let mut run =
                    RuleRun::new(&set, &mut self.scope, &mut self.errors, out, &self.balances);
                audit::judge(
                    &mut run,
                    std::slice::from_ref(fact),
                    self.drafts || self.only.is_some(),
                );
            }
            RuleInput::Watermark { source, at_us } => self.watermark(*source, *at_us, out),
        }
    }

    fn transaction(&mut self, transaction: &Arc<ChangeTransaction>, out: &mut Vec<Finding>) {
        let set = Arc::clone(&self.set);
        self.marks[source_index(SourceKind::Binlog)].input(&transaction.position);
        // A redelivered transaction gives the same verdicts again, which are known
        // by their ids; but nothing in it is new to a window or a pair.
        let is_new = self.transactions.is_new(&transaction.position);
        if set.asks_balances {
            self.balances
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .learn(transaction);
        }
        let active = ActiveRules {
            set: &set,
            only: self.only,
            drafts: self.drafts,
            assigned: &self.assigned,
        };
        let mut run = RuleRun::new(&set, &mut self.scope, &mut self.errors, out, &self.balances);
        let mut state = MemoryScope {
            memories: &mut self.memories,
            holds: &mut self.holds,
            watermarks: &self.watermarks,
            events: &mut self.marks[1],
        };
        let mut touched = 0u32;
        let mut last: Option<(&Arc<TableSchema>, Option<usize>)> = None;
        for (at, change) in transaction.changes.iter().enumerate() {
            let table = match last {
                Some((same, table)) if Arc::ptr_eq(same, &change.table) => table,
                _ => tables::find(&change.table.name),
            };
            last = Some((&change.table, table));
            let Some(table) = table else { continue };
            touched |= 1 << table;
            for (turn, watch) in set
                .plan
                .by_table
                .get(table)
                .into_iter()
                .flatten()
                .enumerate()
            {
                if active.is(watch.rule()) {
                    let row_position = RowPosition::new(&transaction.position, at);
                    state.row(&mut run, *watch, change, row_position, is_new);
                    record_order(&mut self.places, &run, at, turn);
                }
            }
        }
        let mut tx = None;
        for rule in set.plan.of_tables(touched) {
            if active.is(rule) {
                let tx = tx
                    .get_or_insert_with(|| TransactionView::new(transaction, &set.provenance_key))
                    .clone();
                run.call(rule, "check", (tx,), &transaction.position, "");
                record_order(&mut self.places, &run, usize::MAX, rule);
            }
        }
    }

    fn event(&mut self, event: &Arc<ReceivedEvent>, out: &mut Vec<Finding>) {
        let body = &event.body;
        self.marks[source_index(SourceKind::Kafka)].input(&event.position);
        // Under one id, only the same words are the same event.
        let print = (
            &body.id,
            &body.kind,
            &body.account_id,
            &body.biz_no,
            body.amount,
            &body.currency,
        );
        if !self.events.is_new(&print) {
            return;
        }
        let set = Arc::clone(&self.set);
        let active = ActiveRules {
            set: &set,
            only: self.only,
            drafts: self.drafts,
            assigned: &self.assigned,
        };
        let mut run = RuleRun::new(&set, &mut self.scope, &mut self.errors, out, &self.balances);
        let mut state = MemoryScope {
            memories: &mut self.memories,
            holds: &mut self.holds,
            watermarks: &self.watermarks,
            events: &mut self.marks[1],
        };
        for (turn, watch) in set
            .plan
            .by_event
            .get(&body.kind)
            .into_iter()
            .flatten()
            .enumerate()
        {
            if active.is(watch.rule()) {
                state.event(&mut run, *watch, event);
                record_order(&mut self.places, &run, 0, turn);
            }
        }
    }

    fn watermark(&mut self, source: SourceKind, at_us: i64, out: &mut Vec<Finding>) {
        let newest = &mut self.watermarks[source_index(source)];
        *newest = Some(newest.map_or(at_us, |known| known.max(at_us)));
        let now_us = newest.unwrap_or(at_us);
        self.first[source_index(source)].get_or_insert(at_us);
        let known = match self.live {
            Some(kafka_from_us) => ReadBounds::live(&self.first, self.margin_us, kafka_from_us),
            None => ReadBounds::whole(&self.first, self.margin_us),
        };
        let has_gap = std::mem::take(&mut self.gap_marked[source_index(source)]);
        let set = Arc::clone(&self.set);
        let mut run = RuleRun::new(&set, &mut self.scope, &mut self.errors, out, &self.balances);
        for rule in self.remember.iter().copied() {
            let memory = &mut self.memories[rule];
            if let RuleMemory::Pairs(pairs) = memory
                && has_gap
            {
                pairs.mark_gap(now_us);
            }
            match memory {
                RuleMemory::Window(window) if source == SourceKind::Binlog => {
                    window.advance(now_us)
                }
                RuleMemory::Pairs(pairs) => {
                    let clock = PairClock {
                        watermarks: &self.watermarks,
                        known,
                    };
                    pairs.advance(&mut run, &mut self.holds, rule, source, &clock);
                }
                RuleMemory::Window(_) | RuleMemory::None => {}
            }
            record_order(&mut self.places, &run, 0, rule);
        }
        let needed_us = self.binlog_from();
        self.marks[source_index(source)].advance(now_us, needed_us);
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
        self.pairs().map(PairMemory::open).sum()
    }

    /// Pair rules that can't say anything now, because the other source lags.
    pub fn lagging(&self) -> usize {
        self.pairs().filter(|pairs| pairs.lags()).count()
    }

    /// Position from which `source` must be read again after a restart, so that
    /// windows and pairs are as they are now; see `marks`. None: from the checkpoint.
    pub fn needs_from(&self, source: SourceKind) -> Option<Arc<str>> {
        let from_us = self.binlog_from();
        match source {
            SourceKind::Binlog => self.marks[0].since(from_us),
            SourceKind::Kafka => self.marks[1].since(from_us.saturating_add(self.margin_us)),
        }
    }

    /// B: the time from which the binlog must be read again.
    pub fn binlog_from(&self) -> i64 {
        fn oldest<T>(log: &KeyedLog<T>) -> i64 {
            log.front().map_or(UNTIMED_US, |(_, item)| item.at_us)
        }
        let mut open = match self.watermarks[source_index(SourceKind::Binlog)] {
            _ if self.margin_us == 0 => UNTIMED_US,
            Some(now_us) => now_us,
            // Nothing is known yet: everything that was read is needed.
            None => return i64::MIN,
        };
        let mut windows = UNTIMED_US;
        for memory in self
            .remember
            .iter()
            .filter_map(|rule| self.memories.get(*rule))
        {
            match memory {
                RuleMemory::Window(window) => windows = windows.min(oldest(&window.log)),
                RuleMemory::Pairs(pairs) => {
                    open = pairs.logs.iter().map(oldest).fold(open, i64::min)
                }
                RuleMemory::None => {}
            }
        }
        let open = if open == UNTIMED_US {
            UNTIMED_US
        } else {
            open.saturating_sub(2 * self.margin_us)
        };
        let from_us = windows.min(open);
        if self.margin_us == 0 {
            return from_us;
        }
        let [Some(now_us), Some(first_us)] =
            [self.watermarks, self.first].map(|of| of[source_index(SourceKind::Binlog)])
        else {
            return from_us;
        };
        // Nothing came before the first watermark: what is older came with it.
        let earliest_us = first_us.max(now_us.saturating_sub(MAX_LOOK_BACK_US));
        let rows_from_us =
            self.marks[source_index(SourceKind::Kafka)].rows_from(from_us, self.margin_us);
        from_us.min(rows_from_us.max(earliest_us))
    }

    /// What went wrong since the last call.
    pub fn errors(&mut self) -> Vec<RuleError> {
        std::mem::take(&mut self.errors)
    }

    fn pairs(&self) -> impl Iterator<Item = &PairMemory> {
        self.remember
            .iter()
            .filter_map(|rule| match self.memories.get(*rule) {
                Some(RuleMemory::Pairs(pairs)) => Some(&**pairs),
                _ => None,
            })
    }
}

fn with_memory(memories: &[RuleMemory]) -> Vec<usize> {
    let remember = memories
        .iter()
        .enumerate()
        .filter(|(_, memory)| !matches!(memory, RuleMemory::None));
    remember.map(|(rule, _)| rule).collect()
}

/// Which rules are evaluated.
#[derive(Clone, Copy)]
struct ActiveRules<'a> {
    set: &'a RuleSet,
    only: Option<usize>,
    drafts: bool,
    assigned: &'a [bool],
}

impl ActiveRules<'_> {
    fn is(&self, rule: usize) -> bool {
        if let Some(only) = self.only {
            return only == rule;
        }
        let armed = |r: &crate::rules::runtime::rule_set::CompiledRule| {
            self.drafts || r.header.mode != RuleMode::Draft
        };
        self.assigned.get(rule).is_some_and(|assigned| *assigned)
            && self.set.rules.get(rule).is_some_and(armed)
    }
}

impl RuleWatch {
    fn rule(self) -> usize {
        match self {
            RuleWatch::Single(rule) | RuleWatch::Window(rule) | RuleWatch::Pair(rule, _) => rule,
        }
    }
}

/// What rules remember, while one input passes.
struct MemoryScope<'a> {
    memories: &'a mut Vec<RuleMemory>,
    holds: &'a mut AccountHolds,
    watermarks: &'a SourceWatermarks,
    /// The marks of Kafka.
    events: &'a mut ReplayMarks,
}

impl MemoryScope<'_> {
    fn row(
        &mut self,
        run: &mut RuleRun<'_>,
        watch: RuleWatch,
        change: &Arc<RowChange>,
        row_position: RowPosition,
        is_new: bool,
    ) {
        let Some(rule) = run.set.rules.get(watch.rule()) else {
            return;
        };
        let header = Arc::clone(&rule.header);
        match (watch, &header.trigger) {
            (
                RuleWatch::Single(rule),
                Trigger::Row {
                    ops, changed, only, ..
                },
            ) if passes(change, ops, only) && has_changed(change, changed) => {
                let position = Arc::clone(&row_position.position);
                run.call(
                    rule,
                    "check",
                    (RowView {
                        change: Arc::clone(change),
                        row_position,
                    },),
                    &position,
                    account_of_change(change),
                );
            }
            (
                RuleWatch::Window(rule),
                Trigger::Window {
                    ops,
                    key,
                    keep,
                    only,
                    ..
                },
            ) if is_new => {
                let Some(image) = change.after.as_ref().filter(|_| passes(change, ops, only))
                else {
                    return;
                };
                let (Some(key), Some(keep)) = (
                    key_of(change, image, key),
                    column_value(change, image, keep),
                ) else {
                    return;
                };
                let new = window::WindowArrival {
                    rule,
                    key: &key,
                    keep,
                    row: change,
                    row_position,
                    account: account_of_change(change),
                };
                if let Some(RuleMemory::Window(window)) = self.memories.get_mut(rule) {
                    window.arrive(run, new);
                }
            }
            (RuleWatch::Pair(_, side), Trigger::Pair { left, right, .. }) if is_new => {
                let declared = if side == 0 { left } else { right };
                let Some(key) = row_key(change, declared) else {
                    return;
                };
                let position = Arc::clone(&row_position.position);
                self.meet(
                    run,
                    watch,
                    &key,
                    PairedItem::Row(Arc::clone(change), row_position.row),
                    &position,
                );
            }
            _ => {}
        }
    }

    fn event(&mut self, run: &mut RuleRun<'_>, watch: RuleWatch, event: &Arc<ReceivedEvent>) {
        let Some(rule) = run.set.rules.get(watch.rule()) else {
            return;
        };
        let header = Arc::clone(&rule.header);
        match (watch, &header.trigger) {
            (RuleWatch::Single(rule), _) => {
                run.call(
                    rule,
                    "check",
                    (EventView(Arc::clone(event)),),
                    &event.position,
                    &event.body.account_id,
                );
            }
            (RuleWatch::Pair(_, side), Trigger::Pair { left, right, .. }) => {
                let declared = if side == 0 { left } else { right };
                let key = event_key(event, declared);
                self.meet(
                    run,
                    watch,
                    &key,
                    PairedItem::Event(Arc::clone(event)),
                    &event.position,
                );
            }
            _ => {}
        }
    }

    fn meet(
        &mut self,
        run: &mut RuleRun<'_>,
        watch: RuleWatch,
        key: &str,
        thing: PairedItem,
        position: &Arc<str>,
    ) {
        let RuleWatch::Pair(rule, side) = watch else {
            return;
        };
        if let Some(RuleMemory::Pairs(pairs)) = self.memories.get_mut(rule) {
            let new = pair::PairArrival {
                rule,
                side,
                key,
                thing,
                position,
            };
            pairs.arrive(run, self.holds, new, self.watermarks, self.events);
        }
    }
}
