//! One input's run through the rules: calls them, and turns what they answer into
//! findings. Whatever a rule does, the others go on.

use crate::rules::runtime::call_context::{CallContext, SharedBalances};
use crate::rules::runtime::finding::{Finding, RuleError};
use crate::rules::runtime::rule_meter::RuleMeter;
use crate::rules::runtime::rule_set::{CompiledRule, RuleSet};
use crate::rules::views::limits;
use crate::rules::views::trace::TracedInput;
use rhai::{CallFnOptions, Dynamic, EvalAltResult, FuncArgs, Scope};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Errors kept until somebody drains them.
pub const MAX_ERRORS: usize = 1_000;

/// The run of one input: everything that a call needs, and what the calls so far led to.
pub struct RuleRun<'a> {
    pub set: &'a RuleSet,
    pub scope: &'a mut Scope<'static>,
    pub errors: &'a mut Vec<RuleError>,
    pub out: &'a mut Vec<Finding>,
    pub balances: &'a SharedBalances,
    /// Counts calls and their time, if somebody asks.
    meter: Option<&'a mut RuleMeter>,
    /// The cause of a call beside its arguments: the watermark that made something
    /// missing.
    pub because: Option<TracedInput>,
    /// Rules that failed in this input, and whether a limit stopped them.
    pub(super) failed: Vec<(usize, bool)>,
    /// Rules that said in this input that something is not known.
    pub(super) said_unknown: Vec<usize>,
    pub(super) detailed: usize,
}

/// The reason why a call gave no answer.
pub(super) struct CallFailure {
    pub(super) message: String,
    /// The call ran into a limit: calling it again would cost as much again.
    pub(super) stopped: bool,
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
            meter: None,
            because: None,
            failed: Vec::new(),
            said_unknown: Vec::new(),
            detailed: 0,
        }
    }

    /// Counts what is called from here on.
    #[must_use]
    pub fn metered(mut self, meter: &'a mut RuleMeter) -> Self {
        self.meter = Some(meter);
        self
    }

    /// Calls a function of a rule, unless the rule has used up what it was allowed. `account`
    /// is whose change this is, if known.
    pub fn call(
        &mut self,
        rule: usize,
        function: &str,
        args: impl FuncArgs + Clone,
        position: &Arc<str>,
        account: &str,
    ) {
        let Some(meter) = self.meter.as_deref_mut() else {
            return self.call_unmetered(rule, function, args, position, account);
        };
        if meter.refuses(rule) {
            return;
        }
        let begun = meter.begin_call();
        self.call_unmetered(rule, function, args, position, account);
        if let Some(meter) = self.meter.as_deref_mut() {
            meter.end_call(rule, begun);
        }
    }

    fn call_unmetered(
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

    /// Calls the function within its limits.
    pub(super) fn answer(
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
        limits::start_call();
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
