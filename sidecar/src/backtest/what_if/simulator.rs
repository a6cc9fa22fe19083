//! The simulator: which breakers are open at each moment of the recording.

use crate::backtest::what_if::effects::{BreakerEffects, BreakerOpening, HeldMoney, add};
use crate::backtest::what_if::rows::{ClaimRow, ReplayedRows, closed_breaker, updated_us};
use crate::rules::runtime::finding::Finding;
use crate::stream::change::{ChangeTransaction, RowChange};
use sluice_contract::breaker::BreakerKey;
use std::collections::{HashMap, HashSet};

/// Openings that are listed one by one; the rest counts in the sums. A rule that opens
/// more is not narrow.
const MAX_OPENINGS: usize = 10_000;
/// Orders that are remembered, so that each counts once (some 60 bytes each).
const MAX_ORDERS: usize = 1 << 20;

#[derive(Debug)]
struct SimulatedBreaker {
    /// Index among the openings, if it is listed.
    listed: Option<usize>,
    from_us: i64,
    /// Claim of the first order that it would have held.
    first_us: Option<i64>,
}

pub struct BreakerSimulator {
    open: HashMap<BreakerKey, SimulatedBreaker>,
    orders: HashSet<String>,
    effects: BreakerEffects,
    now_us: i64,
    resume_after_us: Option<i64>,
    claims: ReplayedRows,
    resets: ReplayedRows,
}

impl BreakerSimulator {
    /// Without `resume_after_us` only a person's reset closes a breaker.
    pub fn new(resume_after_us: Option<i64>) -> BreakerSimulator {
        let effects = BreakerEffects {
            exact: true,
            ..BreakerEffects::default()
        };
        BreakerSimulator {
            open: HashMap::new(),
            orders: HashSet::new(),
            effects,
            now_us: 0,
            resume_after_us,
            claims: ReplayedRows::default(),
            resets: ReplayedRows::default(),
        }
    }

    /// The sidecar was started again and reads again what it had read: claims and
    /// resets of before say nothing about breakers that are open now.
    pub fn again(&mut self) {
        self.claims.begin_again();
        self.resets.begin_again();
    }

    /// Moves the recording's time on, and closes what resumes by itself.
    pub fn time(&mut self, at_us: i64) {
        self.now_us = self.now_us.max(at_us);
        let Some(after_us) = self.resume_after_us else {
            return;
        };
        let until = |open: &SimulatedBreaker| open.from_us.saturating_add(after_us);
        let due = self.open.iter().filter(|(_, o)| until(o) <= self.now_us);
        let mut due: Vec<(BreakerKey, i64)> = due.map(|(key, o)| (key.clone(), until(o))).collect();
        due.sort_by_cached_key(|(key, _)| key.to_string());
        for (key, until_us) in due {
            self.close(&key, until_us, "resume");
        }
    }

    /// Takes a commit: claims that an open breaker would have refused, and what people
    /// did to breakers. Its own findings come after it.
    pub fn transaction(&mut self, transaction: &ChangeTransaction) {
        for change in &transaction.changes {
            match change.table.name.as_str() {
                "orders" => self.order(change),
                "breaker" => self.reset(change),
                _ => {}
            }
        }
    }

    fn order(&mut self, change: &RowChange) {
        let at_us = updated_us(change).unwrap_or(self.now_us);
        let Some(claim) = ClaimRow::read(change) else {
            return;
        };
        if self.claims.is_known(at_us) || self.open.is_empty() {
            return;
        }
        // Of several, the one that opened first.
        let holding = claim
            .covering_keys()
            .filter_map(|key| Some((self.open.get(&key)?.listed, key)));
        let first = holding.min_by_key(|(listed, _)| listed.unwrap_or(usize::MAX));
        if let Some((_, key)) = first {
            self.hold(&key, &claim, at_us);
        }
    }

    fn hold(&mut self, key: &BreakerKey, claim: &ClaimRow<'_>, at_us: i64) {
        if self.orders.contains(claim.order) {
            return;
        }
        if self.orders.len() < MAX_ORDERS {
            self.orders.insert(claim.order.to_owned());
        } else {
            self.effects.exact = false;
        }
        add(&mut self.effects.held, claim.currency, claim.amount);
        if let Some(open) = self.open.get_mut(key) {
            open.first_us.get_or_insert(at_us);
            let listed = open.listed;
            if let Some(opening) = listed.and_then(|at| self.effects.openings.get_mut(at)) {
                add(&mut opening.held, claim.currency, claim.amount);
            }
        }
    }

    /// A person's reset counts here as it did then.
    fn reset(&mut self, change: &RowChange) {
        let Some(key) = closed_breaker(change) else {
            return;
        };
        let at_us = updated_us(change).unwrap_or(self.now_us);
        if !self.resets.is_known(at_us) {
            self.close(&key, at_us, "person");
        }
    }

    /// Opens the breakers that live would open.
    pub fn finding(&mut self, finding: &Finding) {
        for key in &finding.breakers {
            if !self.open.contains_key(key) {
                self.open(key, finding);
            }
        }
    }

    fn open(&mut self, key: &BreakerKey, finding: &Finding) {
        let openings = &mut self.effects.openings;
        let listed = (openings.len() < MAX_OPENINGS).then_some(openings.len());
        let breaker = SimulatedBreaker {
            listed,
            from_us: self.now_us,
            first_us: None,
        };
        self.open.insert(key.clone(), breaker);
        if listed.is_none() {
            self.effects.unlisted += 1;
            return;
        }
        openings.push(BreakerOpening {
            breaker: key.to_string(),
            rule: finding.rule.id.clone(),
            verdict_id: finding.verdict_id.clone(),
            position: finding.position.to_string(),
            from_us: self.now_us,
            until_us: self.now_us,
            closed_by: "end",
            held: HeldMoney::new(),
            longest_us: 0,
        });
    }

    fn close(&mut self, key: &BreakerKey, at_us: i64, by: &'static str) {
        let Some(open) = self.open.remove(key) else {
            return;
        };
        let listed = open.listed;
        let Some(opening) = listed.and_then(|at| self.effects.openings.get_mut(at)) else {
            return;
        };
        opening.until_us = at_us.max(open.from_us);
        opening.closed_by = by;
        opening.longest_us = open
            .first_us
            .map_or(0, |first_us| at_us.saturating_sub(first_us).max(0));
    }

    /// Ends the recording, and with it what is still open.
    pub fn end(mut self) -> BreakerEffects {
        let mut keys: Vec<BreakerKey> = self.open.keys().cloned().collect();
        keys.sort_by_cached_key(ToString::to_string);
        keys.iter()
            .for_each(|key| self.close(key, self.now_us, "end"));
        self.effects
    }
}
