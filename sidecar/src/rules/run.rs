//! One input's run through the rules: calls them, and turns what they answer into
//! findings. Whatever a rule does, the others go on.

use super::load::{Rule, RuleSet};
use super::types::Violation;
use super::{Finding, Mode, Outcome, RuleError};
use rhai::{CallFnOptions, Dynamic, EvalAltResult, FuncArgs, Scope};
use sha2::{Digest, Sha256};
use sluice_contract::breaker::{BreakerKey, Scope as BreakerScope};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Errors kept until somebody drains them.
pub const MOST_ERRORS: usize = 1_000;
/// Longest texts of a finding, in characters: what `verdict` stores.
const MOST_ITEM: usize = 190;
const MOST_MESSAGE: usize = 500;

pub struct Run<'a> {
    pub set: &'a RuleSet,
    pub scope: &'a mut Scope<'static>,
    pub errors: &'a mut Vec<RuleError>,
    pub out: &'a mut Vec<Finding>,
    /// Rules that failed in this input, and whether a limit stopped them.
    failed: Vec<(usize, bool)>,
}

/// Why a call gave no answer.
struct Failure {
    message: String,
    /// It ran into a limit: calling it again would cost as much again.
    stopped: bool,
}

impl<'a> Run<'a> {
    pub fn new(
        set: &'a RuleSet,
        scope: &'a mut Scope<'static>,
        errors: &'a mut Vec<RuleError>,
        out: &'a mut Vec<Finding>,
    ) -> Self {
        Run { set, scope, errors, out, failed: Vec::new() }
    }

    /// Calls a function of a rule. `account` is whose change this is, if known.
    pub fn call(&mut self, rule: usize, function: &str, args: impl FuncArgs, position: &Arc<str>, account: &str) {
        let Some(called) = self.set.rules.get(rule) else { return };
        if self.failed.contains(&(rule, true)) {
            return;
        }
        match self.answer(called, function, args) {
            Ok(answer) if answer.is_unit() => {}
            Ok(answer) => {
                if let Err(failure) = self.find(called, function, answer, position) {
                    self.fail(rule, failure, position, account);
                }
            }
            Err(failure) => self.fail(rule, failure, position, account),
        }
    }

    fn answer(&mut self, rule: &Rule, function: &str, args: impl FuncArgs) -> Result<Dynamic, Failure> {
        let options = CallFnOptions::new().eval_ast(false).rewind_scope(true);
        let (engine, scope) = (&self.set.engine, &mut *self.scope);
        let called = catch_unwind(AssertUnwindSafe(|| {
            engine.call_fn_with_options::<Dynamic>(options, scope, &rule.ast, function, args)
        }));
        match called {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                Err(Failure { message: format!("{function}: {}", words(&error)), stopped: is_stopped(&error) })
            }
            Err(_) => {
                self.scope.clear();
                Err(Failure { message: format!("{function}: a native function panicked"), stopped: true })
            }
        }
    }

    /// A violation, or an array of them; those before a wrong element count.
    fn find(&mut self, rule: &Rule, function: &str, answer: Dynamic, position: &Arc<str>) -> Result<(), Failure> {
        let wrong = |what: &Dynamic| Failure {
            message: format!("answered {} instead of (), a violation(…) or an array of them", what.type_name()),
            stopped: false,
        };
        let answers = if answer.is_array() { answer.into_array().unwrap_or_default() } else { vec![answer] };
        for answer in answers {
            let violation = answer.try_cast_result::<Violation>().map_err(|other| wrong(&other))?;
            self.push(rule, function, violation, position);
        }
        Ok(())
    }

    fn push(&mut self, rule: &Rule, function: &str, violation: Violation, position: &Arc<str>) {
        let account = violation.account.to_string();
        let breakers = stops(rule, &account);
        let said = Said { function, item: &violation.item, message: &violation.message };
        let found = finding(rule, Outcome::Violation, position, &said, account);
        self.out.push(Finding { breakers, ..found });
    }

    /// The rule can't say: once per rule and input, so that a rule that fails at
    /// every row does not flood anybody.
    pub fn undetermined(&mut self, rule: usize, message: &str, position: &Arc<str>, account: &str) {
        let Some(failed) = self.set.rules.get(rule) else { return };
        if self.errors.len() < MOST_ERRORS {
            self.errors.push(RuleError { rule: failed.header.id.clone(), message: message.to_owned() });
        }
        if !self.failed.iter().any(|(r, _)| *r == rule) {
            self.failed.push((rule, false));
            let said = Said { function: "error", item: "error", message };
            self.out.push(finding(failed, Outcome::Undetermined, position, &said, account.to_owned()));
        }
    }

    /// A call gave no answer. Money that a trip rule could not check must not leave
    /// (promise 5), so the breaker opens: the account's, if this was the only
    /// failure; everybody's once it fails on a second account or hits a limit,
    /// since the rest of the input is then not checked either.
    fn fail(&mut self, rule: usize, failure: Failure, position: &Arc<str>, account: &str) {
        let Some(failed) = self.set.rules.get(rule) else { return };
        let before = self.failed.iter().any(|(r, _)| *r == rule);
        let account = if before || failure.stopped { "" } else { account };
        if self.failed.contains(&(rule, true)) {
            return;
        }
        if self.errors.len() < MOST_ERRORS {
            self.errors.push(RuleError { rule: failed.header.id.clone(), message: failure.message.clone() });
        }
        let said = Said { function: "error", item: "error", message: &failure.message };
        let found = finding(failed, Outcome::Undetermined, position, &said, account.to_owned());
        self.out.push(Finding { breakers: stops(failed, account), ..found });
        // After a failure that spoke for everybody, more of them say nothing new.
        self.failed.push((rule, account.is_empty()));
    }
}

/// What a rule in mode trip stops for this account.
fn stops(rule: &Rule, account: &str) -> Vec<BreakerKey> {
    let trips = rule.header.mode == Mode::Trip;
    let declared = rule.header.breakers.iter().filter(|_| trips);
    declared.map(|(point, scope)| breaker_key(*point, *scope, account)).collect()
}

/// Which function of a rule said what about what.
struct Said<'a> {
    function: &'a str,
    item: &'a str,
    message: &'a str,
}

/// An unknown account means that nobody knows whose money it is: the whole point.
fn breaker_key(point: sluice_contract::breaker::Point, scope: BreakerScope, account: &str) -> BreakerKey {
    match scope {
        BreakerScope::Account if !account.is_empty() => BreakerKey { point, scope, key: account.to_owned() },
        _ => BreakerKey { point, scope: BreakerScope::All, key: "*".to_owned() },
    }
}

/// The error in words; of a stopped evaluation, why it was stopped.
fn words(error: &EvalAltResult) -> String {
    match error.unwrap_inner() {
        EvalAltResult::ErrorTerminated(why, position) => format!("{why} ({position})"),
        _ => error.to_string(),
    }
}

fn is_stopped(error: &EvalAltResult) -> bool {
    matches!(
        error.unwrap_inner(),
        EvalAltResult::ErrorTooManyOperations(..)
            | EvalAltResult::ErrorTerminated(..)
            | EvalAltResult::ErrorStackOverflow(..)
            | EvalAltResult::ErrorDataTooLarge(..)
    )
}

fn finding(rule: &Rule, outcome: Outcome, position: &Arc<str>, said: &Said<'_>, account: String) -> Finding {
    let item: String = said.item.chars().take(MOST_ITEM).collect();
    // The account counts too: two accounts under one item are two verdicts, or the
    // second one's breaker would never be opened. So does the function: a payment
    // that was late and then booked wrong is two findings.
    // A candidate's verdicts must not be taken for those of the version that is armed.
    let version = rule.candidate.then_some(rule.hash.as_str());
    let parts = [rule.header.id.as_str(), said.function, position, &account, &item];
    let parts: Vec<&str> = parts.into_iter().chain(version).collect();
    Finding {
        verdict_id: verdict_id(&parts),
        rule: Arc::clone(&rule.header),
        rule_hash: rule.hash.clone(),
        outcome,
        position: Arc::clone(position),
        item,
        account,
        message: said.message.chars().take(MOST_MESSAGE).collect(),
        breakers: Vec::new(),
        amount: None,
        detail: None,
    }
}

/// 32 hex digits over all parts and where each ends.
pub fn verdict_id(parts: &[&str]) -> String {
    let mut id = Sha256::new();
    for part in parts {
        id.update((part.len() as u64).to_be_bytes());
        id.update(part);
    }
    hex::encode(&id.finalize()[..16])
}
