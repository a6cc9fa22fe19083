//! Pairs: two things that must say the same, and perhaps must both come.
//!
//! No false alarm by construction: a side's time of arrival is its own source's
//! next watermark, which it can't be later than; it is missed only once the other
//! source has delivered everything up to that time and the patience after it. A
//! source that lags makes the rule wait, not speak.

use crate::rules::memory::account_holds::AccountHolds;
use crate::rules::memory::keyed_log::{KeyedItem, KeyedLog, UNTIMED_US};
use crate::rules::memory::paired_item::PairedItem;
use crate::rules::memory::replay_marks::{ReadBounds, ReplayMarks};
use crate::rules::memory::watermarks::{SourceWatermarks, source_index};
use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::runtime::trace::TracedInput;
use crate::rules::text::header::RuleMode;
use crate::rules::text::trigger_header::{PairSide, RequiredSides, Trigger};
use crate::stream::change::SourceKind;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Sides that one rule keeps at most (up to 1 KiB each), of either kind.
pub const MAX_KEPT_SIDES: usize = if cfg!(test) { 2_000 } else { 400_000 };
/// Accounts that are stopped one by one for what a full log forgot; past it everybody.
const MAX_STOPPED_ACCOUNTS: usize = 100;
/// Sides of one key that are compared with a partner that arrives.
const MAX_PARTNERS_COMPARED: usize = 16;
/// How much longer than `within_ms` a source may lag before rules say so: longer than
/// a rebalance or a restart of a broker takes.
const LAG_GRACE_US: i64 = 30_000_000;

/// What the header asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairTerms {
    within_us: i64,
    keep_us: i64,
    delay_us: i64,
    require: RequiredSides,
    /// Whether an open required side holds its account's money.
    hold: bool,
    sources: [SourceKind; 2],
}

impl PairTerms {
    pub fn of(trigger: &Trigger, mode: RuleMode) -> Option<PairTerms> {
        let Trigger::Pair {
            left,
            right,
            within_ms,
            keep_ms,
            require,
            hold,
            delay_ms,
        } = trigger
        else {
            return None;
        };
        Some(PairTerms {
            within_us: i64::from(*within_ms) * 1_000,
            keep_us: i64::from(*keep_ms.max(within_ms)) * 1_000,
            delay_us: i64::from(*delay_ms) * 1_000,
            require: *require,
            // Only a rule that may trip may hold money back.
            hold: *hold && mode == RuleMode::Trip,
            sources: [left, right].map(PairSide::source),
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PairState {
    Waiting,
    Met,
    /// Its partner was said to be missing.
    Missed,
}

#[derive(Debug)]
pub struct KeptSide {
    thing: PairedItem,
    state: PairState,
    /// The last partner that it was compared with, after a delay.
    compared: Option<u64>,
    /// When it came, partners that had come until then might have been forgotten.
    forgotten_us: i64,
}

#[derive(Debug)]
pub struct PairMemory {
    terms: PairTerms,
    pub logs: [KeyedLog<KeptSide>; 2],
    /// For each side, the first id whose deadline has not passed.
    undecided: [u64; 2],
    /// Required sides that wait.
    open: usize,
    /// Partners of what arrived before this may have been forgotten, so that
    /// nothing can be said to be missing.
    gap_until_us: i64,
    /// For each side, when the newest one came that was kept for its time.
    forgotten_us: [i64; 2],
    full: PairOverflow,
    /// For each side, what has met and is compared after the delay, by id.
    due: [VecDeque<u64>; 2],
    /// For each side, whether its partners' source lags, which was said.
    lags: [bool; 2],
    /// For each side, its own source's newest watermark and the one before. A lag is
    /// told by the one before: after a pause of all sources the first one to come is
    /// far ahead, and the other comes at once.
    own: [[Option<i64>; 2]; 2],
}

/// What a full log has led to.
#[derive(Debug, Default)]
struct PairOverflow {
    /// It was said, and is said again from then on.
    said_until_us: Option<i64>,
    /// Whose money was stopped since it was said; everybody's past `MAX_STOPPED_ACCOUNTS`.
    stopped: BTreeSet<Box<str>>,
    /// Partners of what came before this may be forgotten.
    until_us: Option<i64>,
    /// It was full before the first watermark: `until_us` is known with that.
    untimed: bool,
}

/// A side that arrives.
pub struct PairArrival<'a> {
    pub rule: usize,
    pub side: usize,
    pub key: &'a str,
    pub thing: PairedItem,
    pub position: &'a Arc<str>,
}

/// What time it is for pairs.
pub struct PairClock<'a> {
    pub watermarks: &'a SourceWatermarks,
    pub known: ReadBounds,
}

impl PairMemory {
    /// `gap_until_us`: see the field; for a rule that was not there before.
    pub fn new(terms: PairTerms, now_us: Option<i64>) -> Self {
        let gap_until_us = now_us.map_or(i64::MIN, |now| now.saturating_add(terms.keep_us));
        PairMemory {
            terms,
            logs: Default::default(),
            undecided: [0; 2],
            open: 0,
            gap_until_us,
            full: PairOverflow::default(),
            forgotten_us: [i64::MIN; 2],
            due: Default::default(),
            lags: [false; 2],
            own: [[None; 2]; 2],
        }
    }

    pub fn lags(&self) -> bool {
        self.lags.contains(&true)
    }

    pub fn open(&self) -> usize {
        self.open
    }

    /// Compares it with its partners, or lets it wait for one.
    pub fn arrive(
        &mut self,
        run: &mut RuleRun<'_>,
        holds: &mut AccountHolds,
        new: PairArrival<'_>,
        watermarks: &SourceWatermarks,
        events: &mut ReplayMarks,
    ) {
        let other = 1 - new.side;
        let partners = self.partners(other, new.key);
        for id in &partners {
            if self.terms.delay_us == 0 {
                self.compare(run, &new, *id);
            }
            self.decide(holds, other, *id, PairState::Met);
            self.met(&new, *id, watermarks, events);
        }
        let state = if partners.is_empty() {
            PairState::Waiting
        } else {
            PairState::Met
        };
        if state == PairState::Waiting && self.terms.require.of(new.side) {
            self.open += 1;
            if self.terms.hold {
                holds.open(new.thing.account());
            }
        }
        let kept = KeptSide {
            thing: new.thing,
            state,
            compared: None,
            forgotten_us: self.forgotten_us[other],
        };
        let id = self.logs[new.side].push(new.key.into(), Arc::clone(new.position), kept);
        if state == PairState::Met && self.terms.delay_us > 0 {
            self.due[new.side].push_back(id);
        }
        if self.logs[new.side].len() > MAX_KEPT_SIDES {
            self.overflow(run, holds, (new.rule, new.side), new.position, watermarks);
        }
    }

    /// Whoever reads an event again must read the row that it met too.
    fn met(
        &self,
        new: &PairArrival<'_>,
        partner: u64,
        watermarks: &SourceWatermarks,
        events: &mut ReplayMarks,
    ) {
        let Some(item) = self.logs[1 - new.side].get(partner) else {
            return;
        };
        // What came after the newest watermark came no earlier than that.
        let newest_us = watermarks[source_index(SourceKind::Binlog)].unwrap_or(i64::MIN);
        match self.terms.sources[new.side] {
            _ if self.terms.sources[0] == self.terms.sources[1] => {}
            SourceKind::Kafka => events.met(UNTIMED_US, item.at_us.min(newest_us)),
            SourceKind::Binlog => events.met(item.at_us, newest_us),
        }
    }

    /// The oldest one goes before its time. Once per `keep_ms` this is said.
    fn overflow(
        &mut self,
        run: &mut RuleRun<'_>,
        holds: &mut AccountHolds,
        (rule, side): (usize, usize),
        position: &Arc<str>,
        watermarks: &SourceWatermarks,
    ) {
        let now_us = watermarks[source_index(self.terms.sources[side])];
        let until_us = now_us
            .unwrap_or(i64::MIN)
            .saturating_add(self.terms.keep_us);
        self.full.until_us = self.full.until_us.max(Some(until_us));
        self.full.untimed |= now_us.is_none();
        if self
            .full
            .said_until_us
            .is_none_or(|until_us| now_us >= Some(until_us))
        {
            self.full.said_until_us = Some(until_us);
            self.full.stopped.clear();
            let message = format!(
                "more than {MAX_KEPT_SIDES} are kept: the oldest are forgotten; shorten keep_ms"
            );
            run.error(rule, &message);
            run.unknown(rule, &message, position, "");
        }
        let first = self.logs[side].front();
        if let Some((id, _)) = first.filter(|(_, item)| item.value.state == PairState::Waiting)
            && self.terms.require.of(side)
        {
            self.unchecked(run, rule, side, id);
        }
        self.forget(holds, side);
    }

    /// A required side of which nobody can say any more whether its partner is missing:
    /// as with a rule that broke off, its money waits for a person.
    fn unchecked(&mut self, run: &mut RuleRun<'_>, rule: usize, side: usize, id: u64) {
        let Some(item) = self.logs[side].get(id) else {
            return;
        };
        let account = item.value.thing.account();
        if self.full.stopped.len() > MAX_STOPPED_ACCOUNTS
            || !self.full.stopped.insert(account.into())
        {
            return;
        }
        let account = if self.full.stopped.len() > MAX_STOPPED_ACCOUNTS {
            ""
        } else {
            account
        };
        let message = format!(
            "more than {MAX_KEPT_SIDES} are kept: whether the partner is missing was not checked"
        );
        run.unchecked(rule, &message, &item.position, account);
    }

    /// Everything under the key that still waits, or else the newest one: a second
    /// of a kind is compared with what the first one met.
    fn partners(&self, side: usize, key: &str) -> Vec<u64> {
        let mut ids = self.logs[side].chain(key, MAX_PARTNERS_COMPARED);
        let waits = |id: &u64| {
            self.logs[side]
                .get(*id)
                .is_some_and(|item| item.value.state == PairState::Waiting)
        };
        if ids.iter().any(waits) {
            ids.retain(waits);
            ids.reverse();
        } else {
            ids.truncate(1);
        }
        ids
    }

    /// The finding's position is the left side's, whichever arrived first, so that
    /// the same pair is the same verdict after a restart.
    fn compare(&self, run: &mut RuleRun<'_>, new: &PairArrival<'_>, partner: u64) {
        let Some(item) = self.logs[1 - new.side].get(partner) else {
            return;
        };
        let (new_view, view) = (
            new.thing.view(new.position),
            item.value.thing.view(&item.position),
        );
        let (args, position) = match new.side {
            0 => ((new_view, view), new.position),
            _ => ((view, new_view), &item.position),
        };
        run.call(new.rule, "check", args, position, new.thing.account());
    }

    fn decide(&mut self, holds: &mut AccountHolds, side: usize, id: u64, state: PairState) {
        let Some(item) = self.logs[side].get_mut(id) else {
            return;
        };
        let waited = std::mem::replace(&mut item.value.state, state) == PairState::Waiting;
        if waited && self.terms.require.of(side) {
            self.open -= 1;
            if self.terms.hold {
                holds.close(item.value.thing.account());
            }
        }
    }

    fn forget(&mut self, holds: &mut AccountHolds, side: usize) {
        if let Some((id, _)) = self.logs[side].front() {
            self.decide(holds, side, id, PairState::Met);
            self.logs[side].pop();
            self.undecided[side] = self.undecided[side].max(id + 1);
        }
    }

    /// Inputs are missing before `at_us`: partners of what came until then, or comes
    /// soon after, may be among them.
    pub fn mark_gap(&mut self, at_us: i64) {
        self.gap_until_us = self
            .gap_until_us
            .max(at_us.saturating_add(self.terms.keep_us));
    }

    /// A source has delivered everything up to its watermark.
    pub fn advance(
        &mut self,
        run: &mut RuleRun<'_>,
        holds: &mut AccountHolds,
        rule: usize,
        source: SourceKind,
        clock: &PairClock<'_>,
    ) {
        let watermarks = clock.watermarks;
        for side in [0, 1] {
            if self.terms.sources[side] == source
                && let Some(now_us) = watermarks[source_index(source)]
            {
                self.logs[side].time(now_us);
                self.own[side] = [Some(now_us), self.own[side][0]];
                if std::mem::take(&mut self.full.untimed) {
                    self.full.until_us = self
                        .full
                        .until_us
                        .max(Some(now_us.saturating_add(self.terms.keep_us)));
                }
            }
        }
        self.compare_due(run, rule, watermarks);
        for side in [0, 1] {
            let own = watermarks[source_index(self.terms.sources[side])];
            let other = watermarks[source_index(self.terms.sources[1 - side])];
            if let Some(now_us) = other {
                self.miss(run, holds, rule, side, (now_us, &clock.known));
                self.lag(run, rule, side);
            }
            // Without any word of the other source, one's own clock must do.
            if let Some(now_us) = other.or(own) {
                self.expire(holds, side, now_us);
            }
        }
    }

    /// Compares what met and has had its time to change: the newest of each side.
    fn compare_due(&mut self, run: &mut RuleRun<'_>, rule: usize, watermarks: &SourceWatermarks) {
        let [one, other] = self
            .terms
            .sources
            .map(|source| watermarks[source_index(source)]);
        let Some(now_us) = one.zip(other).map(|(one, other)| one.min(other)) else {
            return;
        };
        for side in [0, 1] {
            while let Some(id) = self.due[side].front().copied() {
                let item = self.logs[side].get(id);
                if item.is_some_and(|item| !item.is_past(self.terms.delay_us, now_us)) {
                    break;
                }
                self.due[side].pop_front();
                if let Some(key) = item.map(|item| Arc::clone(&item.key)) {
                    self.compare_newest(run, rule, &key);
                }
            }
        }
    }

    fn compare_newest(&mut self, run: &mut RuleRun<'_>, rule: usize, key: &str) {
        let [Some(left), Some(right)] =
            [0, 1].map(|side: usize| self.logs[side].chain(key, 1).first().copied())
        else {
            return;
        };
        if self.logs[0]
            .get(left)
            .is_some_and(|item| item.value.compared == Some(right))
        {
            return;
        }
        if let Some(item) = self.logs[0].get_mut(left) {
            item.value.compared = Some(right);
        }
        let (Some(left), Some(right)) = (self.logs[0].get(left), self.logs[1].get(right)) else {
            return;
        };
        let args = (
            left.value.thing.view(&left.position),
            right.value.thing.view(&right.position),
        );
        run.call(
            rule,
            "check",
            args,
            &left.position,
            left.value.thing.account(),
        );
    }

    /// Says once that nothing can be said: a side waits longer than its partner may
    /// take, by its own source's clock, and the partner's source has not come so far.
    fn lag(&mut self, run: &mut RuleRun<'_>, rule: usize, side: usize) {
        let waits = self.terms.require.of(side) && self.open > 0;
        let patience_us = self.terms.within_us.saturating_add(LAG_GRACE_US);
        let late = self.logs[side].get(self.undecided[side]).filter(|_| waits);
        let late = late.filter(|item| {
            self.own[side][1].is_some_and(|own_us| item.is_past(patience_us, own_us))
        });
        if let Some(item) = late
            && !self.lags[side]
        {
            let source = match self.terms.sources[1 - side] {
                SourceKind::Binlog => "the binlog",
                SourceKind::Kafka => "Kafka",
            };
            let message = format!(
                "{source} lags behind: whether something is missing can't be said until it has come"
            );
            run.unknown(rule, &message, &item.position, "");
        }
        self.lags[side] = late.is_some();
    }

    /// Says which required sides have waited in vain.
    fn miss(
        &mut self,
        run: &mut RuleRun<'_>,
        holds: &mut AccountHolds,
        rule: usize,
        side: usize,
        (now_us, known): (i64, &ReadBounds),
    ) {
        loop {
            let id = self.undecided[side];
            let Some(item) = self.logs[side]
                .get(id)
                .filter(|item| item.is_past(self.terms.within_us, now_us))
            else {
                return;
            };
            if self.terms.require.of(side) && item.value.state == PairState::Waiting {
                self.judge(run, rule, (side, id), now_us, known);
                self.decide(holds, side, id, PairState::Missed);
            }
            self.undecided[side] += 1;
        }
    }

    /// What is said of a required side that has waited in vain.
    fn judge(
        &mut self,
        run: &mut RuleRun<'_>,
        rule: usize,
        (side, id): (usize, u64),
        now_us: i64,
        known: &ReadBounds,
    ) {
        let Some(item) = self.logs[side].get(id) else {
            return;
        };
        let account = item.value.thing.account();
        if self.is_past(side, item, known) {
            // It was judged before this run, with what is not read again; at the first
            // start nobody was promised that, and a gap has its own verdict.
        } else if let Some(message) = self.unknown(side, item, known) {
            run.unknown(rule, message, &item.position, account);
        } else if Some(item.at_us) < self.full.until_us {
            self.unchecked(run, rule, side, id);
        } else {
            let source = match self.terms.sources[1 - side] {
                SourceKind::Binlog => "binlog",
                SourceKind::Kafka => "kafka",
            };
            let passed = format!("came until {now_us} without a partner");
            run.because = Some(TracedInput {
                position: source.to_owned(),
                what: passed,
            });
            run.call(
                rule,
                "missing",
                (item.value.thing.view(&item.position),),
                &item.position,
                account,
            );
            run.because = None;
        }
    }

    /// Whether it came before this run, with a partner that may lie before it too.
    fn is_past(&self, side: usize, item: &KeyedItem<KeptSide>, known: &ReadBounds) -> bool {
        match &item.value.thing {
            PairedItem::Row(..) => item.at_us < known.judged_from_us,
            PairedItem::Event(_) => {
                item.at_us <= known.past_until_us && self.happened_before(side, item, known)
            }
        }
    }

    /// Whether an event's row may lie before what is read of the binlog.
    fn happened_before(&self, side: usize, item: &KeyedItem<KeptSide>, known: &ReadBounds) -> bool {
        let of_row = self.terms.sources[1 - side] == SourceKind::Binlog;
        of_row
            && item
                .value
                .thing
                .occurred_us()
                .is_some_and(|occurred| occurred < known.rows_from_us)
    }

    /// Why nothing can be said of a side that waits in vain.
    fn unknown(
        &self,
        side: usize,
        item: &KeyedItem<KeptSide>,
        known: &ReadBounds,
    ) -> Option<&'static str> {
        let of_event = self.terms.sources[1 - side] == SourceKind::Kafka;
        if of_event && item.at_us < known.events_from_us.saturating_add(self.terms.keep_us) {
            return Some(
                "its event may have been published before Kafka is read: nothing can be said",
            );
        }
        if item.at_us < self.gap_until_us {
            return Some("the partner may have come before this rule kept it: nothing can be said");
        }
        // A row comes after what happened. One that came before all that are still
        // known when the event is told can't be found any more.
        let late = item
            .value
            .thing
            .occurred_us()
            .is_some_and(|occurred| occurred <= item.value.forgotten_us);
        let late = late || self.happened_before(side, item, known);
        late.then_some("told long after it happened: its partner may have come and be forgotten")
    }

    fn expire(&mut self, holds: &mut AccountHolds, side: usize, now_us: i64) {
        while let Some((id, item)) = self.logs[side].front() {
            let undecided = self.terms.require.of(side) && id >= self.undecided[side];
            let due = self.due[side].front().is_some_and(|first| id >= *first);
            if undecided || due || !item.is_past(self.terms.keep_us, now_us) {
                return;
            }
            self.forgotten_us[side] = self.forgotten_us[side].max(item.at_us);
            self.forget(holds, side);
        }
    }

    /// Takes over other terms (a rule's mode has changed): all holds are counted anew.
    pub fn adopt(&mut self, holds: &mut AccountHolds, terms: PairTerms) {
        let was = std::mem::replace(&mut self.terms, terms);
        if was.hold != terms.hold {
            let accounts = self.waiting();
            accounts.for_each(|account| {
                if terms.hold {
                    holds.open(account)
                } else {
                    holds.close(account)
                }
            });
        }
    }

    /// Lets go of every hold, before this is dropped.
    pub fn release(&self, holds: &mut AccountHolds) {
        if self.terms.hold {
            self.waiting().for_each(|account| holds.close(account));
        }
    }

    fn waiting(&self) -> impl Iterator<Item = &str> {
        let required = [0, 1]
            .into_iter()
            .filter(|side| self.terms.require.of(*side));
        let kept = required.flat_map(|side| self.logs[side].values());
        kept.filter(|kept| kept.state == PairState::Waiting)
            .map(|kept| kept.thing.account())
    }
}
