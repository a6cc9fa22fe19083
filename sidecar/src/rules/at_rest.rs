//! What snapshot rules see: one thing at rest, with everything that must agree with
//! it. Such a rule remembers nothing: the same thing gives the same answer.
//!
//! The item of its violation says what is wrong, and by how much, without figures
//! that move with honest traffic: a difference that stands is told by it from a new
//! one (see `snapshot::commit`).

use super::here::SharedBalances;
use super::load::RuleSet;
use super::run::Run;
use super::tables::Kind;
use super::types::{Answer, fail, to_dynamic};
use super::{Finding, Mode, RuleError};
use crate::change::{Fact, Of, Value};
use rhai::{Dynamic, Engine, Scope};
use std::collections::BTreeSet;
use std::sync::Arc;

use Kind::{Int, Money, Text};

/// The position of everything that a snapshot rule says, until it is confirmed.
pub const POSITION: &str = "audit";

/// `rows` is 0 if the account has entries and no balance. Amounts in major units.
const BOOKS: [(&str, Kind); 14] = [
    ("account_id", Text),
    ("currency", Text),
    ("rows", Int),
    ("balance", Money),
    ("available", Money),
    ("reserved", Money),
    ("intermediate", Money),
    ("intermediate_reserved", Money),
    ("version", Int),
    ("entries", Int),
    ("entries_available", Money),
    ("entries_reserved", Money),
    ("entries_intermediate", Money),
    ("entries_intermediate_reserved", Money),
];
const POSTINGS: [(&str, Kind); 6] = [
    ("account_id", Text),
    ("posting_id", Text),
    ("currency", Text),
    ("lines", Int),
    ("debits", Money),
    ("credits", Money),
];
/// `rows` is 0 if orders took from a payment, or entries booked one, that has no row.
/// `orders_*` are the sums of the orders that took and neither failed nor came back.
const CAPTURES: [(&str, Kind); 10] = [
    ("account_id", Text),
    ("payment_no", Text),
    ("currency", Text),
    ("rows", Int),
    ("captured", Money),
    ("refunded", Money),
    ("settled", Money),
    ("entries_captured", Money),
    ("orders_refunded", Money),
    ("orders_settled", Money),
];
/// `rows` is 0 if there are entries of an order that has no row. The last four are
/// what its entries say was reserved, finalized, released and returned.
const ORDERS: [(&str, Kind); 11] = [
    ("account_id", Text),
    ("order_id", Text),
    ("kind", Text),
    ("state", Text),
    ("currency", Text),
    ("rows", Int),
    ("amount", Money),
    ("reserved", Money),
    ("finalized", Money),
    ("released", Money),
    ("returned", Money),
];

/// In the order of their declaration.
const KINDS: [Of; 4] = [Of::Books, Of::Postings, Of::Captures, Of::Orders];

/// Names and kinds of a fact's values, in their order.
pub fn fields(of: Of) -> &'static [(&'static str, Kind)] {
    match of {
        Of::Books => &BOOKS,
        Of::Postings => &POSTINGS,
        Of::Captures => &CAPTURES,
        Of::Orders => &ORDERS,
    }
}

/// As headers and people write it.
pub fn name(of: Of) -> &'static str {
    match of {
        Of::Books => "books",
        Of::Postings => "postings",
        Of::Captures => "captures",
        Of::Orders => "orders",
    }
}

/// A fact as rules see it; its values are its properties.
#[derive(Debug, Clone)]
struct View(Arc<Fact>);

impl View {
    /// `places` are where the field is among the values of each kind.
    fn get(&self, field: &str, places: &[Option<usize>; 4]) -> Answer<Dynamic> {
        let at = places.get(self.0.of as usize).copied().flatten();
        match at.and_then(|at| self.0.values.get(at)) {
            Some(value) => to_dynamic(value, field),
            None => fail(format!("{} at rest have no {field}", name(self.0.of))),
        }
    }
}

/// Whose it is; every fact begins with its account.
pub fn account(fact: &Fact) -> &str {
    match fact.values.first() {
        Some(Value::Text(account)) => account,
        _ => "",
    }
}

/// What rules of the set that are no drafts look at.
pub fn looked_at(set: &RuleSet) -> Vec<Of> {
    let active = set
        .plan
        .at_rest
        .iter()
        .filter(|(_, rule)| !is_draft(set, *rule));
    let mut all: Vec<Of> = active.map(|(of, _)| *of).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Accounts of which some rule has something to say, or can't say anything.
pub fn suspects(set: &RuleSet, facts: &[Arc<Fact>]) -> BTreeSet<String> {
    let (mut scope, balances) = (Scope::new(), SharedBalances::default());
    let suspect = |fact: &&Arc<Fact>| {
        // Each by itself: a rule that fails on one says nothing of the others.
        let (mut errors, mut found) = (Vec::new(), Vec::new());
        let mut run = Run::new(set, &mut scope, &mut errors, &mut found, &balances);
        judge(&mut run, std::slice::from_ref(fact), false);
        drop(run);
        !found.is_empty()
    };
    facts
        .iter()
        .filter(suspect)
        .map(|fact| account(fact).to_owned())
        .collect()
}

/// A finding that no rule's word made: `of` could not be judged, for a reason that lies
/// with the reading. It stops nothing.
pub fn undetermined(set: &RuleSet, of: Of, account: &str, message: &str) -> Vec<Finding> {
    let (mut scope, mut errors, mut found) = (Scope::new(), Vec::new(), Vec::new());
    // Of data at rest nothing moved.
    let balances = SharedBalances::default();
    let mut run = Run::new(set, &mut scope, &mut errors, &mut found, &balances);
    for (_, rule) in set
        .plan
        .at_rest
        .iter()
        .filter(|(its, rule)| *its == of && !is_draft(set, *rule))
    {
        run.undetermined(*rule, message, &POSITION.into(), account);
    }
    drop(run);
    found
}

/// What the rules say of these facts, and what went wrong; a rule that fails again
/// and again is told once (see `Run`).
pub fn judge_all(set: &RuleSet, facts: &[Arc<Fact>]) -> (Vec<Finding>, Vec<RuleError>) {
    let (mut scope, mut errors, mut found) = (Scope::new(), Vec::new(), Vec::new());
    // Of data at rest nothing moved.
    let balances = SharedBalances::default();
    let mut run = Run::new(set, &mut scope, &mut errors, &mut found, &balances);
    judge(&mut run, facts, false);
    drop(run);
    (found, errors)
}

pub(super) fn judge(run: &mut Run<'_>, facts: &[Arc<Fact>], drafts: bool) {
    let position: Arc<str> = POSITION.into();
    let set = run.set;
    for fact in facts {
        for (of, rule) in &set.plan.at_rest {
            if *of == fact.of && (drafts || !is_draft(set, *rule)) {
                run.call(
                    *rule,
                    "check",
                    (View(Arc::clone(fact)),),
                    &position,
                    account(fact),
                );
            }
        }
    }
}

fn is_draft(set: &RuleSet, rule: usize) -> bool {
    set.rules
        .get(rule)
        .is_none_or(|r| r.header.mode == Mode::Draft)
}

pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<View>("AtRest");
    let mut all: Vec<&str> = KINDS
        .iter()
        .flat_map(|of| fields(*of))
        .map(|(field, _)| *field)
        .collect();
    all.sort_unstable();
    all.dedup();
    for field in all {
        let places = KINDS.map(|of| fields(of).iter().position(|(name, _)| *name == field));
        engine.register_get(field, move |view: &mut View| view.get(field, &places));
    }
}
