//! One input's run through the rules: calls them, and turns what they answer into
//! findings. Whatever a rule does, the others go on.

use crate::rules::RuleMode;
use crate::rules::runtime::call_context::{CallContext, SharedBalances};
use crate::rules::runtime::finding::{Finding, FindingOutcome, RuleError};
use crate::rules::runtime::rule_set::{CompiledRule, RuleSet};
use crate::rules::runtime::trace::{self, FindingDetail, TracedInput};
use crate::rules::runtime::tx::TransactionView;
use crate::rules::runtime::types::{EventView, ImageView, RowView, Violation};
use crate::rules::runtime::window_view::WindowView;
use rhai::{CallFnOptions, Dynamic, EvalAltResult, FuncArgs, Scope};
use sha2::{Digest, Sha256};
use sluice_contract::breaker::{BreakerKey, BreakerScope};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Errors kept until somebody drains them.
pub const MAX_ERRORS: usize = 1_000;
/// Longest texts of a finding, in characters: what `verdict` stores.
const MAX_ITEM_CHARS: usize = 190;
const MAX_MESSAGE_CHARS: usize = 500;
/// Calls of one input whose reads are traced. A mass change finds the same thing
/// in every row; a thousand explanations say it.
const MAX_DETAILED_CALLS: usize = 1_000;
/// The item of what is undetermined though no rule failed: not enough is known. It is
/// neither an error of the rule nor a trip of its budget (`Verdict::is_unknown`).
pub const UNKNOWN_ITEM: &str = "unknown";

pub struct RuleRun<'a> {
    pub set: &'a RuleSet,
    pub scope: &'a mut Scope<'static>,
    pub errors: &'a mut Vec<RuleError>,
    pub out: &'a mut Vec<Finding>,
    pub balances: &'a SharedBalances,
    /// What beside its arguments led to a call: the watermark that made something
    /// missing.
    pub because: Option<TracedInput>,
    /// Rules that failed in this input, and whether a limit stopped them.
    failed: Vec<(usize, bool)>,
    /// Rules that said in this input that something is not known.
    said_unknown: Vec<usize>,
    detailed: usize,
}

/// Why a call gave no answer.
struct CallFailure {
    message: String,
    /// It ran into a limit: calling it again would cost as much again.
    stopped: bool,
}

impl<'a> RuleRun<'a> {
    pub fn new(
        set: &'a RuleSet,
        scope: &'a mut Scope<'static>,
        errors: &'a mut Vec<RuleError>,
        out: &'a mut Vec<Finding>,
        balances: &'a SharedBalances,
    ) -> Self {
        RuleRun {
            set,
            scope,
            errors,
            out,
            balances,
            because: None,
            failed: Vec::new(),
            said_unknown: Vec::new(),
            detailed: 0,
        }
    }

    /// Calls a function of a rule. `account` is whose change this is, if known.
    pub fn call(
        &mut self,
        rule: usize,
        function: &str,
        args: impl FuncArgs + Clone,
        position: &Arc<str>,
        account: &str,
    ) {
        let Some(called) = self.set.rules.get(rule) else {
            return;
        };
        if self.failed.contains(&(rule, true)) {
            return;
        }
        match self.answer(called, function, args.clone()) {
            Ok(answer) if answer.is_unit() => {}
            Ok(answer) => {
                let detail = self.detail(called, function, args, true);
                if let Err(failure) = self.find(called, function, answer, position, &detail) {
                    self.fail(rule, failure, position, account, &detail);
                }
            }
            Err(failure) => {
                // What ran into a limit would run into it again.
                let detail = self.detail(called, function, args, !failure.stopped);
                self.fail(rule, failure, position, account, &detail);
            }
        }
    }

    fn answer(
        &mut self,
        rule: &CompiledRule,
        function: &str,
        args: impl FuncArgs,
    ) -> Result<Dynamic, CallFailure> {
        let mut options = CallFnOptions::new().eval_ast(false).rewind_scope(true);
        if rule.asks {
            options = options.with_tag(CallContext {
                header: Arc::clone(&rule.header),
                balances: Arc::clone(self.balances),
            });
        }
        let (engine, scope) = (&self.set.engine, &mut *self.scope);
        crate::rules::runtime::limits::start_call();
        let called = catch_unwind(AssertUnwindSafe(|| {
            engine.call_fn_with_options::<Dynamic>(options, scope, &rule.ast, function, args)
        }));
        match called {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(CallFailure {
                message: format!("{function}: {}", error_text(&error)),
                stopped: is_stopped(&error),
            }),
            Err(_) => {
                self.scope.clear();
                Err(CallFailure {
                    message: format!("{function}: a native function panicked"),
                    stopped: true,
                })
            }
        }
    }

    /// What the call looked at: made again, with its reads traced if `traced`.
    fn detail(
        &mut self,
        rule: &CompiledRule,
        function: &str,
        args: impl FuncArgs + Clone,
        traced: bool,
    ) -> Arc<FindingDetail> {
        let mut given: Vec<Dynamic> = Vec::new();
        args.clone().parse(&mut given);
        let mut inputs: Vec<TracedInput> = given.iter().flat_map(inputs_of).collect();
        inputs.extend(self.because.clone());
        let params = rule
            .header
            .params
            .iter()
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect();
        if !traced || self.detailed == MAX_DETAILED_CALLS {
            return Arc::new(FindingDetail {
                inputs,
                reads: Vec::new(),
                params,
                cut: true,
            });
        }
        self.detailed += 1;
        let (reads, cut) = trace::trace_reads(|| drop(self.answer(rule, function, args)));
        Arc::new(FindingDetail {
            inputs,
            reads,
            params,
            cut,
        })
    }

    /// A violation, or an array of them; those before a wrong element count.
    fn find(
        &mut self,
        rule: &CompiledRule,
        function: &str,
        answer: Dynamic,
        position: &Arc<str>,
        detail: &Arc<FindingDetail>,
    ) -> Result<(), CallFailure> {
        let wrong = |what: &Dynamic| CallFailure {
            message: format!(
                "answered {} instead of (), a violation(…) or an array of them",
                what.type_name()
            ),
            stopped: false,
        };
        let answers = if answer.is_array() {
            answer.into_array().unwrap_or_default()
        } else {
            vec![answer]
        };
        for answer in answers {
            let violation = answer
                .try_cast_result::<Violation>()
                .map_err(|other| wrong(&other))?;
            let account = violation.account.to_string();
            let breakers = breakers_of(rule, &account);
            let said = FindingText {
                function,
                item: &violation.item,
                message: &violation.message,
            };
            let found = finding(rule, FindingOutcome::Violation, position, &said, account);
            self.out.push(Finding {
                breakers,
                amount: violation.amount,
                detail: Some(Arc::clone(detail)),
                ..found
            });
        }
        Ok(())
    }

    /// The rule can't say: once per rule and input, so that a rule that fails at
    /// every row does not flood anybody.
    pub fn undetermined(&mut self, rule: usize, message: &str, position: &Arc<str>, account: &str) {
        let Some(failed) = self.set.rules.get(rule) else {
            return;
        };
        self.error(rule, message);
        if !self.failed.iter().any(|(r, _)| *r == rule) {
            self.failed.push((rule, false));
            let said = FindingText {
                function: "error",
                item: "error",
                message,
            };
            self.out.push(finding(
                failed,
                FindingOutcome::Undetermined,
                position,
                &said,
                account.to_owned(),
            ));
        }
    }

    /// For the log and the alert on failing rules.
    pub fn error(&mut self, rule: usize, message: &str) {
        let Some(failed) = self.set.rules.get(rule) else {
            return;
        };
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(RuleError {
                rule: failed.header.id.clone(),
                message: message.to_owned(),
            });
        }
    }

    /// Nothing can be said, and the rule did nothing wrong: once per rule and input.
    pub fn unknown(&mut self, rule: usize, message: &str, position: &Arc<str>, account: &str) {
        let Some(about) = self.set.rules.get(rule) else {
            return;
        };
        if !self.said_unknown.contains(&rule) {
            self.said_unknown.push(rule);
            self.out.push(not_known(about, message, position, account));
        }
    }

    /// Likewise, of money that nobody will check any more: what a rule in mode trip would
    /// stop for it is stopped (decision 003). The caller bounds how often.
    pub fn unchecked(&mut self, rule: usize, message: &str, position: &Arc<str>, account: &str) {
        let Some(about) = self.set.rules.get(rule) else {
            return;
        };
        let found = not_known(about, message, position, account);
        self.out.push(Finding {
            breakers: breakers_of(about, account),
            ..found
        });
    }

    /// A call gave no answer. Money that a trip rule could not check must not leave
    /// (promise 5), so the breaker opens: the account's, if this was the only
    /// failure; everybody's once it fails on a second account or hits a limit,
    /// since the rest of the input is then not checked either.
    fn fail(
        &mut self,
        rule: usize,
        failure: CallFailure,
        position: &Arc<str>,
        account: &str,
        detail: &Arc<FindingDetail>,
    ) {
        let Some(failed) = self.set.rules.get(rule) else {
            return;
        };
        let before = self.failed.iter().any(|(r, _)| *r == rule);
        let account = if before || failure.stopped {
            ""
        } else {
            account
        };
        if self.failed.contains(&(rule, true)) {
            return;
        }
        self.error(rule, &failure.message);
        let said = FindingText {
            function: "error",
            item: "error",
            message: &failure.message,
        };
        let found = finding(
            failed,
            FindingOutcome::Undetermined,
            position,
            &said,
            account.to_owned(),
        );
        let detail = Some(Arc::clone(detail));
        self.out.push(Finding {
            breakers: breakers_of(failed, account),
            detail,
            ..found
        });
        // After a failure that spoke for everybody, more of them say nothing new.
        self.failed.push((rule, account.is_empty()));
    }
}

/// What stands behind an argument of a call.
fn inputs_of(argument: &Dynamic) -> Vec<TracedInput> {
    if let Some(row) = argument.read_lock::<RowView>() {
        return vec![row.seen()];
    }
    if let Some(image) = argument.read_lock::<ImageView>() {
        return vec![image.seen()];
    }
    if let Some(event) = argument.read_lock::<EventView>() {
        return vec![event.seen()];
    }
    if let Some(tx) = argument.read_lock::<TransactionView>() {
        return vec![tx.seen()];
    }
    argument
        .read_lock::<WindowView>()
        .map(|earlier| earlier.inputs())
        .unwrap_or_default()
}

/// What a rule in mode trip stops for this account.
fn breakers_of(rule: &CompiledRule, account: &str) -> Vec<BreakerKey> {
    let trips = rule.header.mode == RuleMode::Trip;
    let declared = rule.header.breakers.iter().filter(|_| trips);
    declared
        .map(|(point, scope)| breaker_key(*point, *scope, account))
        .collect()
}

/// Which function of a rule said what about what.
struct FindingText<'a> {
    function: &'a str,
    item: &'a str,
    message: &'a str,
}

/// An unknown account means that nobody knows whose money it is: the whole point.
fn breaker_key(
    point: sluice_contract::breaker::BreakerPoint,
    scope: BreakerScope,
    account: &str,
) -> BreakerKey {
    match scope {
        BreakerScope::Account if !account.is_empty() => BreakerKey {
            point,
            scope,
            key: account.to_owned(),
        },
        _ => BreakerKey {
            point,
            scope: BreakerScope::All,
            key: "*".to_owned(),
        },
    }
}

/// The error in words; of a stopped evaluation, why it was stopped.
fn error_text(error: &EvalAltResult) -> String {
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

fn not_known(rule: &CompiledRule, message: &str, position: &Arc<str>, account: &str) -> Finding {
    let said = FindingText {
        function: "missing",
        item: UNKNOWN_ITEM,
        message,
    };
    finding(
        rule,
        FindingOutcome::Undetermined,
        position,
        &said,
        account.to_owned(),
    )
}

fn finding(
    rule: &CompiledRule,
    outcome: FindingOutcome,
    position: &Arc<str>,
    said: &FindingText<'_>,
    account: String,
) -> Finding {
    let item: String = said.item.chars().take(MAX_ITEM_CHARS).collect();
    // The account counts too: two accounts under one item are two verdicts, or the
    // second one's breaker would never be opened. So does the function: a payment
    // that was late and then booked wrong is two findings.
    // A candidate's verdicts must not be taken for those of the version that is armed.
    let parts = [
        rule.header.id.as_str(),
        said.function,
        position,
        &account,
        &item,
    ];
    let of_version: Vec<&str> = parts.into_iter().chain([rule.hash.as_str()]).collect();
    let of_version = verdict_id(&of_version);
    let (verdict_id, before) = match rule.candidate {
        true => (of_version, None),
        false => (verdict_id(&parts), Some(of_version)),
    };
    Finding {
        verdict_id,
        before,
        rule: Arc::clone(&rule.header),
        rule_hash: rule.hash.clone(),
        outcome,
        position: Arc::clone(position),
        item,
        account,
        message: said.message.chars().take(MAX_MESSAGE_CHARS).collect(),
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
