//! The evaluator: routes each input to the rules that watch it. One per stream,
//! single-threaded; it owns everything that lasts from one input to the next.

use super::at_rest;
use super::header::{Mode, Trigger};
use super::here::SharedBalances;
use super::holds::Holds;
use super::keys::{event_key, has_changed, key_of, owner, passes, row_key, value};
use super::load::{RuleSet, Watch};
use super::log::{Log, NOT_YET};
use super::marks::{Known, MOST_BACK_US, Marks, margin};
use super::pairs::{self, Clock, Pairs, Terms, Watermarks, place};
use super::places::{Places, note};
use super::recent::Recent;
use super::run::Run;
use super::tables;
use super::thing::Thing;
use super::tx::Tx;
use super::types::{EventView, Row, Seat};
use super::windows::{self, Window};
use super::{Finding, RuleError};
use crate::change::{Change, Event, Input, Source, Table, Transaction};
use ahash::AHashMap;
use rhai::Scope;
use std::sync::{Arc, PoisonError};

/// Transactions by whose position a redelivery is recognised: more than a source
/// delivers twice after it lost its connection.
const RECENT_TRANSACTIONS: usize = 1 << 16;
/// Events likewise; upstreams re-emit by hand, hours later.
const RECENT_EVENTS: usize = 1 << 19;

/// What a rule remembers.
enum Memory {
    None,
    Window(Window),
    Pairs(Box<Pairs>),
}

/// Evaluates inputs in order. Its clock is the sources' watermarks, one for each.
pub struct Evaluator {
    set: Arc<RuleSet>,
    memories: Vec<Memory>,
    /// Rules that remember something.
    remember: Vec<usize>,
    balances: SharedBalances,
    watermarks: Watermarks,
    /// The first watermark of each source, and where its inputs came.
    first: Watermarks,
    marks: [Marks; 2],
    margin_us: i64,
    holds: Holds,
    scope: Scope<'static>,
    transactions: Recent,
    events: Recent,
    errors: Vec<RuleError>,
    /// Whether drafts are evaluated too: in backtests only.
    drafts: bool,
    /// Whether partners may lie before what is read, and from when on events are read if
    /// there was no checkpoint; see `marks::Known`.
    live: Option<Option<i64>>,
    /// Which rules are this evaluator's; the others are another's (see `workers`).
    mine: Vec<bool>,
    /// Where what is found belongs, if somebody has to put it in order.
    places: Option<Places>,
    /// Sources of which inputs are missing before their next watermark.
    blurred: [bool; 2],
    /// The only rule to be evaluated, whatever its mode: in cases.
    only: Option<usize>,
}

impl Evaluator {
    pub fn new(set: Arc<RuleSet>) -> Self {
        let all = vec![true; set.rules.len()];
        Self::build(set, false, all)
    }

    /// Evaluates one rule alone, even in mode `draft`.
    pub(super) fn of_one(set: Arc<RuleSet>, rule: usize) -> Self {
        let all = vec![true; set.rules.len()];
        Evaluator {
            only: Some(rule),
            ..Self::build(set, false, all)
        }
    }

    /// Evaluates the rules that `mine` says.
    pub(super) fn build(set: Arc<RuleSet>, drafts: bool, mine: Vec<bool>) -> Self {
        let memory = |(rule, mine): (&super::load::Rule, &bool)| match mine {
            true => Memory::of(&rule.header.trigger, rule.header.mode, None),
            false => Memory::None,
        };
        let memories: Vec<Memory> = set.rules.iter().zip(&mine).map(memory).collect();
        Evaluator {
            margin_us: margin(&set.rules),
            set,
            remember: remembering(&memories),
            memories,
            balances: SharedBalances::default(),
            watermarks: [None; 2],
            first: [None; 2],
            marks: Default::default(),
            holds: Holds::default(),
            scope: Scope::new(),
            transactions: Recent::new(RECENT_TRANSACTIONS),
            events: Recent::new(RECENT_EVENTS),
            errors: Vec::new(),
            drafts,
            live: None,
            mine,
            places: None,
            blurred: [false; 2],
            only: None,
        }
    }

    /// Reading begins somewhere: what may have its other half before that is not said to
    /// miss it. `kafka_from_us` is what Kafka is read from without a checkpoint.
    pub fn begins(&mut self, kafka_from_us: Option<i64>) {
        self.live = Some(kafka_from_us);
    }

    /// From now on says where each finding and error belongs.
    pub(super) fn keep_places(&mut self) {
        self.places = Some(Places::default());
    }

    /// The places since the last call: of findings, and of errors.
    pub(super) fn places(&mut self) -> Places {
        self.places.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Inputs are missing here: a pair whose other half may be among them can't be
    /// judged.
    pub fn blur(&mut self) {
        self.blurred = [true; 2];
    }

    /// Takes over another rule set. A rule with the same id and trigger keeps what
    /// it remembers.
    pub fn swap(&mut self, set: Arc<RuleSet>) {
        let all = vec![true; set.rules.len()];
        self.swap_mine(set, all);
    }

    /// A rule that was this evaluator's must still be.
    pub(super) fn swap_mine(&mut self, set: Arc<RuleSet>, mine: Vec<bool>) {
        self.mine = mine;
        let old = std::mem::replace(&mut self.set, set);
        self.margin_us = margin(&self.set.rules);
        let mut memories: Vec<Memory> = std::mem::take(&mut self.memories);
        let now_us = self.watermarks.iter().flatten().max().copied();
        let heirs = heirs(&old, &self.set);
        for ((rule, mine), heir) in self.set.rules.iter().zip(&self.mine).zip(heirs) {
            if !mine {
                self.memories.push(Memory::None);
                continue;
            }
            let header = &rule.header;
            let kept = heir.and_then(|at| memories.get_mut(at));
            let mut memory = match kept {
                Some(memory) => std::mem::replace(memory, Memory::None),
                None => Memory::of(&header.trigger, header.mode, now_us),
            };
            if let (Memory::Pairs(pairs), Some(terms)) =
                (&mut memory, Terms::of(&header.trigger, header.mode))
            {
                pairs.adopt(&mut self.holds, terms);
            }
            self.memories.push(memory);
        }
        for memory in &memories {
            if let Memory::Pairs(pairs) = memory {
                pairs.release(&mut self.holds);
            }
        }
        self.remember = remembering(&self.memories);
    }

    /// Evaluates one input; findings are appended in the order of changes and rules.
    pub fn evaluate(&mut self, input: &Input, out: &mut Vec<Finding>) {
        self.places.iter_mut().for_each(Places::next_input);
        match input {
            Input::Transaction(transaction) => self.transaction(transaction, out),
            Input::Event(event) => self.event(event, out),
            Input::AtRest(fact) => {
                let set = Arc::clone(&self.set);
                let mut run =
                    Run::new(&set, &mut self.scope, &mut self.errors, out, &self.balances);
                at_rest::judge(
                    &mut run,
                    std::slice::from_ref(fact),
                    self.drafts || self.only.is_some(),
                );
            }
            Input::Watermark { source, at_us } => self.watermark(*source, *at_us, out),
        }
    }

    fn transaction(&mut self, transaction: &Arc<Transaction>, out: &mut Vec<Finding>) {
        let set = Arc::clone(&self.set);
        self.marks[place(Source::Binlog)].input(&transaction.position);
        // A redelivered transaction gives the same verdicts again, which are known
        // by their ids; but nothing in it is new to a window or a pair.
        let is_new = self.transactions.is_new(&transaction.position);
        if set.asks_balances {
            self.balances
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .learn(transaction);
        }
        let awake = Awake {
            set: &set,
            only: self.only,
            drafts: self.drafts,
            mine: &self.mine,
        };
        let mut run = Run::new(&set, &mut self.scope, &mut self.errors, out, &self.balances);
        let mut state = Remembering {
            memories: &mut self.memories,
            holds: &mut self.holds,
            watermarks: &self.watermarks,
            events: &mut self.marks[1],
        };
        let mut touched = 0u32;
        let mut last: Option<(&Arc<Table>, Option<usize>)> = None;
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
                if awake.is(watch.rule()) {
                    let seat = Seat::new(&transaction.position, at);
                    state.row(&mut run, *watch, change, seat, is_new);
                    note(&mut self.places, &run, at, turn);
                }
            }
        }
        let mut tx = None;
        for rule in set.plan.of_tables(touched) {
            if awake.is(rule) {
                let tx = tx
                    .get_or_insert_with(|| Tx::new(transaction, &set.provenance_key))
                    .clone();
                run.call(rule, "check", (tx,), &transaction.position, "");
                note(&mut self.places, &run, usize::MAX, rule);
            }
        }
    }

    fn event(&mut self, event: &Arc<Event>, out: &mut Vec<Finding>) {
        let body = &event.body;
        self.marks[place(Source::Kafka)].input(&event.position);
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
        let awake = Awake {
            set: &set,
            only: self.only,
            drafts: self.drafts,
            mine: &self.mine,
        };
        let mut run = Run::new(&set, &mut self.scope, &mut self.errors, out, &self.balances);
        let mut state = Remembering {
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
            if awake.is(watch.rule()) {
                state.event(&mut run, *watch, event);
                note(&mut self.places, &run, 0, turn);
            }
        }
    }

    fn watermark(&mut self, source: Source, at_us: i64, out: &mut Vec<Finding>) {
        let newest = &mut self.watermarks[place(source)];
        *newest = Some(newest.map_or(at_us, |known| known.max(at_us)));
        let now_us = newest.unwrap_or(at_us);
        self.first[place(source)].get_or_insert(at_us);
        let known = match self.live {
            Some(kafka_from_us) => Known::live(&self.first, self.margin_us, kafka_from_us),
            None => Known::whole(&self.first, self.margin_us),
        };
        let is_blurred = std::mem::take(&mut self.blurred[place(source)]);
        let set = Arc::clone(&self.set);
        let mut run = Run::new(&set, &mut self.scope, &mut self.errors, out, &self.balances);
        for rule in self.remember.iter().copied() {
            let memory = &mut self.memories[rule];
            if let Memory::Pairs(pairs) = memory
                && is_blurred
            {
                pairs.blur(now_us);
            }
            match memory {
                Memory::Window(window) if source == Source::Binlog => window.advance(now_us),
                Memory::Pairs(pairs) => {
                    let clock = Clock {
                        watermarks: &self.watermarks,
                        known,
                    };
                    pairs.advance(&mut run, &mut self.holds, rule, source, &clock);
                }
                Memory::Window(_) | Memory::None => {}
            }
            note(&mut self.places, &run, 0, rule);
        }
        let needed_us = self.binlog_from();
        self.marks[place(source)].advance(now_us, needed_us);
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
        self.pairs().map(Pairs::open).sum()
    }

    /// Pair rules that can't say anything now, because the other source lags.
    pub fn lagging(&self) -> usize {
        self.pairs().filter(|pairs| pairs.lags()).count()
    }

    /// Position from which `source` must be read again after a restart, so that
    /// windows and pairs are as they are now; see `marks`. None: from the checkpoint.
    pub fn needs_from(&self, source: Source) -> Option<Arc<str>> {
        let from_us = self.binlog_from();
        match source {
            Source::Binlog => self.marks[0].since(from_us),
            Source::Kafka => self.marks[1].since(from_us.saturating_add(self.margin_us)),
        }
    }

    /// B: the time from which the binlog must be read again.
    pub(super) fn binlog_from(&self) -> i64 {
        fn oldest<T>(log: &Log<T>) -> i64 {
            log.front().map_or(NOT_YET, |(_, item)| item.at_us)
        }
        let mut open = match self.watermarks[place(Source::Binlog)] {
            _ if self.margin_us == 0 => NOT_YET,
            Some(now_us) => now_us,
            // Nothing is known yet: everything that was read is needed.
            None => return i64::MIN,
        };
        let mut windows = NOT_YET;
        for memory in self
            .remember
            .iter()
            .filter_map(|rule| self.memories.get(*rule))
        {
            match memory {
                Memory::Window(window) => windows = windows.min(oldest(&window.log)),
                Memory::Pairs(pairs) => open = pairs.logs.iter().map(oldest).fold(open, i64::min),
                Memory::None => {}
            }
        }
        let open = if open == NOT_YET {
            NOT_YET
        } else {
            open.saturating_sub(2 * self.margin_us)
        };
        let from_us = windows.min(open);
        if self.margin_us == 0 {
            return from_us;
        }
        let [Some(now_us), Some(first_us)] =
            [self.watermarks, self.first].map(|of| of[place(Source::Binlog)])
        else {
            return from_us;
        };
        // Nothing came before the first watermark: what is older came with it.
        let most_us = first_us.max(now_us.saturating_sub(MOST_BACK_US));
        let rows_from_us = self.marks[place(Source::Kafka)].rows_from(from_us, self.margin_us);
        from_us.min(rows_from_us.max(most_us))
    }

    /// What went wrong since the last call.
    pub fn errors(&mut self) -> Vec<RuleError> {
        std::mem::take(&mut self.errors)
    }

    fn pairs(&self) -> impl Iterator<Item = &Pairs> {
        self.remember
            .iter()
            .filter_map(|rule| match self.memories.get(*rule) {
                Some(Memory::Pairs(pairs)) => Some(&**pairs),
                _ => None,
            })
    }
}

/// For each rule of `new`, the rule of `old` whose memory it takes over: itself, or
/// else one with its id and trigger that does not go on itself. Each has one heir: a
/// candidate beside the armed version begins anew.
pub(super) fn heirs(old: &RuleSet, new: &RuleSet) -> Vec<Option<usize>> {
    let mut by_id: AHashMap<&str, Vec<usize>> = AHashMap::new();
    for (at, rule) in old.rules.iter().enumerate() {
        by_id.entry(&rule.header.id).or_default().push(at);
    }
    let mut heirs: Vec<Option<usize>> = vec![None; new.rules.len()];
    let mut taken = vec![false; old.rules.len()];
    for itself in [true, false] {
        for (rule, heir) in new
            .rules
            .iter()
            .zip(&mut heirs)
            .filter(|(_, heir)| heir.is_none())
        {
            let fits = |at: &usize| {
                let was = &old.rules[*at];
                !taken[*at]
                    && was.header.trigger == rule.header.trigger
                    && (!itself || was.hash == rule.hash)
            };
            *heir = by_id
                .get(rule.header.id.as_str())
                .into_iter()
                .flatten()
                .copied()
                .find(fits);
            if let Some(at) = *heir {
                taken[at] = true;
            }
        }
    }
    heirs
}

fn remembering(memories: &[Memory]) -> Vec<usize> {
    let remember = memories
        .iter()
        .enumerate()
        .filter(|(_, memory)| !matches!(memory, Memory::None));
    remember.map(|(rule, _)| rule).collect()
}

/// Which rules are evaluated.
#[derive(Clone, Copy)]
struct Awake<'a> {
    set: &'a RuleSet,
    only: Option<usize>,
    drafts: bool,
    mine: &'a [bool],
}

impl Awake<'_> {
    fn is(&self, rule: usize) -> bool {
        if let Some(only) = self.only {
            return only == rule;
        }
        let armed = |r: &super::load::Rule| self.drafts || r.header.mode != Mode::Draft;
        self.mine.get(rule).is_some_and(|mine| *mine) && self.set.rules.get(rule).is_some_and(armed)
    }
}

impl Watch {
    fn rule(self) -> usize {
        match self {
            Watch::Single(rule) | Watch::Window(rule) | Watch::Pair(rule, _) => rule,
        }
    }
}

impl Memory {
    fn of(trigger: &Trigger, mode: Mode, now_us: Option<i64>) -> Memory {
        match trigger {
            Trigger::Window { span_ms, first, .. } => Memory::Window(Window::new(*span_ms, *first)),
            _ => Terms::of(trigger, mode).map_or(Memory::None, |terms| {
                Memory::Pairs(Box::new(Pairs::new(terms, now_us)))
            }),
        }
    }
}

/// What rules remember, while one input passes.
struct Remembering<'a> {
    memories: &'a mut Vec<Memory>,
    holds: &'a mut Holds,
    watermarks: &'a Watermarks,
    /// The marks of Kafka.
    events: &'a mut Marks,
}

impl Remembering<'_> {
    fn row(
        &mut self,
        run: &mut Run<'_>,
        watch: Watch,
        change: &Arc<Change>,
        seat: Seat,
        is_new: bool,
    ) {
        let Some(rule) = run.set.rules.get(watch.rule()) else {
            return;
        };
        let header = Arc::clone(&rule.header);
        match (watch, &header.trigger) {
            (
                Watch::Single(rule),
                Trigger::Row {
                    ops, changed, only, ..
                },
            ) if passes(change, ops, only) && has_changed(change, changed) => {
                let position = Arc::clone(&seat.position);
                run.call(
                    rule,
                    "check",
                    (Row {
                        change: Arc::clone(change),
                        seat,
                    },),
                    &position,
                    owner(change),
                );
            }
            (
                Watch::Window(rule),
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
                let (Some(key), Some(keep)) =
                    (key_of(change, image, key), value(change, image, keep))
                else {
                    return;
                };
                let new = windows::Arrival {
                    rule,
                    key: &key,
                    keep,
                    row: change,
                    seat,
                    account: owner(change),
                };
                if let Some(Memory::Window(window)) = self.memories.get_mut(rule) {
                    window.arrive(run, new);
                }
            }
            (Watch::Pair(_, side), Trigger::Pair { left, right, .. }) if is_new => {
                let declared = if side == 0 { left } else { right };
                let Some(key) = row_key(change, declared) else {
                    return;
                };
                let position = Arc::clone(&seat.position);
                self.meet(
                    run,
                    watch,
                    &key,
                    Thing::Row(Arc::clone(change), seat.row),
                    &position,
                );
            }
            _ => {}
        }
    }

    fn event(&mut self, run: &mut Run<'_>, watch: Watch, event: &Arc<Event>) {
        let Some(rule) = run.set.rules.get(watch.rule()) else {
            return;
        };
        let header = Arc::clone(&rule.header);
        match (watch, &header.trigger) {
            (Watch::Single(rule), _) => {
                run.call(
                    rule,
                    "check",
                    (EventView(Arc::clone(event)),),
                    &event.position,
                    &event.body.account_id,
                );
            }
            (Watch::Pair(_, side), Trigger::Pair { left, right, .. }) => {
                let declared = if side == 0 { left } else { right };
                let key = event_key(event, declared);
                self.meet(
                    run,
                    watch,
                    &key,
                    Thing::Event(Arc::clone(event)),
                    &event.position,
                );
            }
            _ => {}
        }
    }

    fn meet(
        &mut self,
        run: &mut Run<'_>,
        watch: Watch,
        key: &str,
        thing: Thing,
        position: &Arc<str>,
    ) {
        let Watch::Pair(rule, side) = watch else {
            return;
        };
        if let Some(Memory::Pairs(pairs)) = self.memories.get_mut(rule) {
            let new = pairs::Arrival {
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
