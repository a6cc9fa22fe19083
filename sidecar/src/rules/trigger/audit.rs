//! What snapshot rules see: one thing at rest, with everything that must agree with
//! it. Such a rule remembers nothing: the same thing gives the same answer.
//!
//! The item of its violation says what is wrong, and by how much, without figures
//! that move with honest traffic: a difference that stands is told by it from a new
//! one (see `snapshot::commit`).

use crate::rules::RuleMode;
use crate::rules::runtime::call_context::SharedBalances;
use crate::rules::runtime::fact_view::FactView;
use crate::rules::runtime::finding::{Finding, RuleError};
use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::text::audit_facts::account;
use crate::stream::change::{AuditFact, AuditSubject};
use rhai::Scope;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The position of everything that a snapshot rule says, until it is confirmed.
pub const AUDIT_POSITION: &str = "audit";

/// What rules of the set that are no drafts look at.
pub fn watched_facts(set: &RuleSet) -> Vec<AuditSubject> {
    let active = set
        .plan
        .at_rest
        .iter()
        .filter(|(_, rule)| !is_draft(set, *rule));
    let mut all: Vec<AuditSubject> = active.map(|(of, _)| *of).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Accounts of which some rule has something to say, or can't say anything.
pub fn suspect_accounts(set: &RuleSet, facts: &[Arc<AuditFact>]) -> BTreeSet<String> {
    let (mut scope, balances) = (Scope::new(), SharedBalances::default());
    let suspect = |fact: &&Arc<AuditFact>| {
        // Each by itself: a rule that fails on one says nothing of the others.
        let (mut errors, mut found) = (Vec::new(), Vec::new());
        let mut run = RuleRun::new(set, &mut scope, &mut errors, &mut found, &balances);
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
pub fn undetermined(set: &RuleSet, of: AuditSubject, account: &str, message: &str) -> Vec<Finding> {
    let (mut scope, mut errors, mut found) = (Scope::new(), Vec::new(), Vec::new());
    // Of data at rest nothing moved.
    let balances = SharedBalances::default();
    let mut run = RuleRun::new(set, &mut scope, &mut errors, &mut found, &balances);
    for (_, rule) in set
        .plan
        .at_rest
        .iter()
        .filter(|(its, rule)| *its == of && !is_draft(set, *rule))
    {
        run.undetermined(*rule, message, &AUDIT_POSITION.into(), account);
    }
    drop(run);
    found
}

/// What the rules say of these facts, and what went wrong; a rule that fails again
/// and again is told once (see `RuleRun`).
pub fn judge_facts(set: &RuleSet, facts: &[Arc<AuditFact>]) -> (Vec<Finding>, Vec<RuleError>) {
    let (mut scope, mut errors, mut found) = (Scope::new(), Vec::new(), Vec::new());
    // Of data at rest nothing moved.
    let balances = SharedBalances::default();
    let mut run = RuleRun::new(set, &mut scope, &mut errors, &mut found, &balances);
    judge(&mut run, facts, false);
    drop(run);
    (found, errors)
}

pub fn judge(run: &mut RuleRun<'_>, facts: &[Arc<AuditFact>], drafts: bool) {
    let position: Arc<str> = AUDIT_POSITION.into();
    let set = run.set;
    for fact in facts {
        for (of, rule) in &set.plan.at_rest {
            if *of == fact.of && (drafts || !is_draft(set, *rule)) {
                run.call(
                    *rule,
                    "check",
                    (FactView(Arc::clone(fact)),),
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
        .is_none_or(|r| r.header.mode == RuleMode::Draft)
}
