//! The run of audit rules over facts that the at-rest audit has read.

use crate::rules::runtime::call_context::SharedBalances;
use crate::rules::runtime::finding::{Finding, RuleError};
use crate::rules::runtime::rule_call::RuleRun;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::text::audit_facts::fact_account;
use crate::rules::text::rule_mode::RuleMode;
use crate::rules::trigger::on_fact;
use crate::stream::change::{AuditFact, AuditSubject};
use rhai::Scope;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The position of everything that an audit rule says, until it is confirmed.
pub const AUDIT_POSITION: &str = "audit";

/// Subjects that rules of the set look at which are no drafts; sorted.
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
        judge(&mut run, std::slice::from_ref(fact), |rule| {
            !is_draft(set, rule)
        });
        drop(run);
        !found.is_empty()
    };
    facts
        .iter()
        .filter(suspect)
        .map(|fact| fact_account(fact).to_owned())
        .collect()
}

/// Findings that no rule's word made: `of` could not be judged, for a reason that lies
/// with the reading. They stop nothing.
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

/// Calls the rules for these facts: findings, and errors. A rule that fails again
/// and again is told once (see `RuleRun`).
pub fn judge_facts(set: &RuleSet, facts: &[Arc<AuditFact>]) -> (Vec<Finding>, Vec<RuleError>) {
    let (mut scope, mut errors, mut found) = (Scope::new(), Vec::new(), Vec::new());
    // Of data at rest nothing moved.
    let balances = SharedBalances::default();
    let mut run = RuleRun::new(set, &mut scope, &mut errors, &mut found, &balances);
    judge(&mut run, facts, |rule| !is_draft(set, rule));
    drop(run);
    (found, errors)
}

/// Calls every rule that looks at them and that `is_active` says.
pub fn judge(run: &mut RuleRun<'_>, facts: &[Arc<AuditFact>], is_active: impl Fn(usize) -> bool) {
    let position: Arc<str> = AUDIT_POSITION.into();
    let set = run.set;
    for fact in facts {
        for (of, rule) in &set.plan.at_rest {
            if *of == fact.of && is_active(*rule) {
                on_fact(run, *rule, fact, &position);
            }
        }
    }
}

fn is_draft(set: &RuleSet, rule: usize) -> bool {
    set.rules
        .get(rule)
        .is_none_or(|r| r.header.mode == RuleMode::Draft)
}
