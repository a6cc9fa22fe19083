//! What breakers would have held: a machine over the recording's own time. A
//! finding opens what live would open; a person who closed it then closes it here;
//! orders that were claimed meanwhile would have waited.

use crate::rules::runtime::finding::Finding;
use crate::stream::change::{ChangeOp, ChangeTransaction, ColumnValue, RowChange};
use rust_decimal::Decimal;
use serde::Serialize;
use sluice_contract::breaker::{BreakerKey, BreakerPoint, BreakerScope};
use sluice_contract::order::{OrderKind, OrderState};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Openings that are told one by one; the rest counts in the sums. A rule that opens
/// more is not narrow.
const MAX_OPENINGS: usize = 10_000;
/// Orders that are remembered, so that each counts once (some 60 bytes each).
const MAX_ORDERS: usize = 1 << 20;

/// Money by currency: how much, of how many orders.
pub type HeldMoney = BTreeMap<String, HeldSum>;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldSum {
    pub orders: u64,
    /// Major units.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
}

/// One time that one breaker was open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerOpening {
    pub breaker: String,
    /// Whose finding opened it.
    pub rule: String,
    pub verdict_id: String,
    pub position: String,
    /// Microseconds of the recording; 0 if it told no time before.
    pub from_us: i64,
    /// The recording's end, if nothing closed it.
    pub until_us: i64,
    /// `end`, `person` or `resume`.
    pub closed_by: &'static str,
    pub held: HeldMoney,
    /// Of the order that would have waited longest, in microseconds.
    pub longest_us: i64,
}

/// What all breakers together would have done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerEffects {
    /// In the order of opening.
    pub openings: Vec<BreakerOpening>,
    /// More than are listed.
    pub unlisted: u64,
    /// Each order once, whatever held it.
    pub held: HeldMoney,
    /// False if there were so many orders that one may count twice.
    pub exact: bool,
}

#[derive(Debug)]
struct SimulatedBreaker {
    /// Place among the openings, if it is listed.
    listed: Option<usize>,
    from_us: i64,
    /// Claim of the first order that it would have held.
    first_us: Option<i64>,
}

pub struct BreakerSimulator {
    open: HashMap<BreakerKey, SimulatedBreaker>,
    orders: HashSet<String>,
    told: BreakerEffects,
    now_us: i64,
    resume_after_us: Option<i64>,
    /// Newest claim and newest reset seen, and those seen when the stream began to be
    /// read again.
    newest_us: [i64; 2],
    again_until_us: [i64; 2],
}

/// Places in `newest_us`.
const CLAIM_INDEX: usize = 0;
const RESET_INDEX: usize = 1;

impl BreakerSimulator {
    pub fn new(resume_after_us: Option<i64>) -> BreakerSimulator {
        let told = BreakerEffects {
            exact: true,
            ..BreakerEffects::default()
        };
        BreakerSimulator {
            open: HashMap::new(),
            orders: HashSet::new(),
            told,
            now_us: 0,
            resume_after_us,
            newest_us: [0; 2],
            again_until_us: [0; 2],
        }
    }

    /// The sidecar was started again and reads again what it had read: claims and
    /// resets of before say nothing about breakers that are open now.
    pub fn again(&mut self) {
        self.again_until_us = self.newest_us;
    }

    /// Whether this row, of the time that it says, was there before.
    fn is_known(&mut self, what: usize, at_us: i64) -> bool {
        self.newest_us[what] = self.newest_us[what].max(at_us);
        at_us <= self.again_until_us[what]
    }

    /// The recording's time has moved on.
    pub fn time(&mut self, at_us: i64) {
        self.now_us = self.now_us.max(at_us);
        let Some(after_us) = self.resume_after_us else {
            return;
        };
        let due = |open: &SimulatedBreaker| open.from_us.saturating_add(after_us) <= self.now_us;
        let mut over: Vec<BreakerKey> = self
            .open
            .iter()
            .filter(|(_, o)| due(o))
            .map(|(key, _)| key.clone())
            .collect();
        over.sort_by_cached_key(ToString::to_string);
        for key in over {
            let until_us = self
                .open
                .get(&key)
                .map_or(0, |open| open.from_us.saturating_add(after_us));
            self.close(&key, until_us, "resume");
        }
    }

    /// What was committed: claims that an open breaker would have refused, and what
    /// people did to breakers. Its own findings come after it.
    pub fn transaction(&mut self, transaction: &ChangeTransaction) {
        for change in &transaction.changes {
            match change.table.name.as_str() {
                "orders" => self.order(change),
                "breaker" => self.by_hand(change),
                _ => {}
            }
        }
    }

    fn order(&mut self, change: &RowChange) {
        let after = |column: &str| text(change, true, column);
        let claimed = change.op == ChangeOp::Update
            && text(change, false, "state") == Some(OrderState::Init.as_str())
            && after("state") == Some(OrderState::Dispatching.as_str());
        let at_us = match value(change, true, "updated_us") {
            Some(ColumnValue::Int(at_us)) => *at_us,
            _ => self.now_us,
        };
        if !claimed || self.is_known(CLAIM_INDEX, at_us) || self.open.is_empty() {
            return;
        }
        let (Some(kind), Some(order)) = (
            after("kind").and_then(|k| k.parse::<OrderKind>().ok()),
            after("order_id"),
        ) else {
            return;
        };
        let point = kind.point();
        let keys = [
            (BreakerScope::All, Some("*")),
            (BreakerScope::Account, after("account_id")),
            (BreakerScope::Channel, after("channel")),
            (BreakerScope::Currency, after("currency")),
        ];
        let key = |(scope, key): (BreakerScope, Option<&str>)| {
            Some(BreakerKey {
                point,
                scope,
                key: key?.to_owned(),
            })
        };
        // Of several, the one that opened first.
        let holding = keys
            .into_iter()
            .filter_map(key)
            .filter_map(|key| Some((self.open.get(&key)?.listed, key)));
        let Some((_, key)) = holding.min_by_key(|(listed, _)| listed.unwrap_or(usize::MAX)) else {
            return;
        };
        if self.orders.contains(order) {
            return;
        }
        if self.orders.len() < MAX_ORDERS {
            self.orders.insert(order.to_owned());
        } else {
            self.told.exact = false;
        }
        let amount = match value(change, true, "amount") {
            Some(ColumnValue::Dec(amount)) => *amount,
            _ => Decimal::ZERO,
        };
        let currency = after("currency").unwrap_or_default();
        add(&mut self.told.held, currency, amount);
        if let Some(open) = self.open.get_mut(&key) {
            open.first_us.get_or_insert(at_us);
            if let Some(opening) = open.listed.and_then(|at| self.told.openings.get_mut(at)) {
                add(&mut opening.held, currency, amount);
            }
        }
    }

    /// A person's reset counts here as it did then.
    fn by_hand(&mut self, change: &RowChange) {
        let text = |column: &str| text(change, true, column);
        if text("state") != Some("closed") {
            return;
        }
        let key = (|| {
            let (point, scope): (BreakerPoint, BreakerScope) =
                (text("point")?.parse().ok()?, text("scope")?.parse().ok()?);
            Some(BreakerKey {
                point,
                scope,
                key: text("scope_key")?.to_owned(),
            })
        })();
        let at_us = match value(change, true, "updated_us") {
            Some(ColumnValue::Int(at_us)) => *at_us,
            _ => self.now_us,
        };
        if let Some(key) = key.filter(|_| !self.is_known(RESET_INDEX, at_us)) {
            self.close(&key, at_us, "person");
        }
    }

    pub fn finding(&mut self, finding: &Finding) {
        for key in &finding.breakers {
            if self.open.contains_key(key) {
                continue;
            }
            let listed =
                (self.told.openings.len() < MAX_OPENINGS).then_some(self.told.openings.len());
            self.open.insert(
                key.clone(),
                SimulatedBreaker {
                    listed,
                    from_us: self.now_us,
                    first_us: None,
                },
            );
            if listed.is_none() {
                self.told.unlisted += 1;
                continue;
            }
            self.told.openings.push(BreakerOpening {
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
    }

    fn close(&mut self, key: &BreakerKey, at_us: i64, by: &'static str) {
        let Some(open) = self.open.remove(key) else {
            return;
        };
        let Some(opening) = open.listed.and_then(|at| self.told.openings.get_mut(at)) else {
            return;
        };
        opening.until_us = at_us.max(open.from_us);
        opening.closed_by = by;
        opening.longest_us = open
            .first_us
            .map_or(0, |first_us| at_us.saturating_sub(first_us).max(0));
    }

    /// The recording is over.
    pub fn end(mut self) -> BreakerEffects {
        let mut keys: Vec<BreakerKey> = self.open.keys().cloned().collect();
        keys.sort_by_cached_key(ToString::to_string);
        keys.iter()
            .for_each(|key| self.close(key, self.now_us, "end"));
        self.told
    }
}

fn add(money: &mut HeldMoney, currency: &str, amount: Decimal) {
    let sum = money.entry(currency.to_owned()).or_default();
    sum.orders += 1;
    sum.amount = sum.amount.saturating_add(amount);
}

fn value<'a>(change: &'a RowChange, after: bool, column: &str) -> Option<&'a ColumnValue> {
    let image = if after { &change.after } else { &change.before };
    image.as_ref()?.get(change.table.column(column)?)
}

fn text<'a>(change: &'a RowChange, after: bool, column: &str) -> Option<&'a str> {
    match value(change, after, column)? {
        ColumnValue::Text(text) => Some(text),
        _ => None,
    }
}
