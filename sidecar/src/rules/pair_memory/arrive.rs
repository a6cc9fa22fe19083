//! Arrival of a half: partners are found, compared and decided, or the half waits.

use crate::rules::memory::account_holds::AccountHolds;
use crate::rules::memory::keyed_log::UNTIMED_US;
use crate::rules::memory::paired_item::PairedItem;
use crate::rules::memory::replay_marks::ReplayMarks;
use crate::rules::memory::watermarks::{SourceWatermarks, source_index};
use crate::rules::pair_memory::overflow::MAX_KEPT_SIDES;
use crate::rules::pair_memory::{KeptSide, PairMemory, PairState};
use crate::rules::runtime::rule_call::RuleRun;
use crate::stream::change::SourceKind;
use std::sync::Arc;

/// Sides of one key that are compared with a partner that arrives.
pub(super) const MAX_PARTNERS_COMPARED: usize = 16;

/// A side that arrives.
pub struct PairArrival<'a> {
    pub rule: usize,
    pub side: usize,
    pub key: &'a str,
    pub paired: PairedItem,
    pub position: &'a Arc<str>,
}

impl PairMemory {
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
        let mut client = self.client_of(&new);
        let partners = match self.terms.per_client {
            true => self.own_partners(other, &new, &mut client),
            false => self.partners(
                other,
                self.logs[other].chain(new.key, MAX_PARTNERS_COMPARED),
            ),
        };
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
                holds.open(new.paired.account());
            }
        }
        let kept = KeptSide {
            paired: new.paired,
            state,
            client,
            compared: None,
            forgotten_us: self.forgotten_us[other],
        };
        self.bytes += kept.bytes(new.key);
        let id = self.logs[new.side].push(new.key.into(), Arc::clone(new.position), kept);
        if state == PairState::Met && self.terms.delay_us > 0 {
            self.due[new.side].push_back(id);
        }
        while let Some(side) = self.full_side(new.side) {
            self.overflow(run, holds, (new.rule, side), new.position, watermarks);
        }
    }

    /// The side that must forget its oldest half: the one that came, past the number that is
    /// kept, or the longer one, past the memory.
    fn full_side(&self, came: usize) -> Option<usize> {
        if self.logs[came].len() > MAX_KEPT_SIDES {
            return Some(came);
        }
        let longer = usize::from(self.logs[1].len() > self.logs[0].len());
        (self.bytes > self.max_bytes && self.logs[longer].len() > 1).then_some(longer)
    }

    /// Marks that a reader who reads the event again must read the row that it met too.
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

    /// Everything under the key that still waits, or else the newest one: a second
    /// of a kind is compared with what the first one met.
    pub(super) fn partners(&self, side: usize, mut ids: Vec<u64>) -> Vec<u64> {
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
            new.paired.view(new.position),
            item.value.paired.view(&item.position),
        );
        let (args, position) = match new.side {
            0 => ((new_view, view), new.position),
            _ => ((view, new_view), &item.position),
        };
        run.call(new.rule, "check", args, position, new.paired.account());
    }
}
