//! Evaluator of shadow, on a thread of its own at the lowest priority. Of each batch:
//!
//! | phase | where |
//! |---|---|
//! | take over a new rule set | `swap` |
//! | what is missing before it is a gap | `TrialLog` |
//! | wake rules that have slept, allow each what its budget has left | `ShadowBudget` |
//! | evaluate inputs; a rule that has used its budget up is called no more | `RuleMeter` |
//! | count what each rule used, put to sleep who went past it | `spend` |
//! | hand verdicts and trials to the writer | a bounded queue |

use crate::health::Health;
use crate::pipeline::shadow::budget::{ShadowBudget, VersionKey};
use crate::pipeline::shadow::panics::contained;
use crate::pipeline::shadow::queue::{ShadowBatch, ShadowQueue};
use crate::pipeline::shadow::trial_log::TrialLog;
use crate::rules::Evaluator;
use crate::rules::runtime::finding::Finding;
use crate::rules::runtime::rule_selection::RuleSelection;
use crate::rules::runtime::rule_set::{CompiledRule, RuleSet};
use crate::stream::change::RuleInput;
use crate::verdicts::shadow_limit::ShadowLimiter;
use crate::verdicts::{Verdict, name_origins, origins_of, verdicts};
use crate::workflow::trials::{RuleTrial, TrialGapCause};
use sluice_contract::clock::now_us;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Niceness of the thread: whoever is armed goes before it.
const NICENESS: i32 = 19;

/// Verdicts of one batch, and trials if it is time to write them down.
#[derive(Debug, Default)]
pub struct ShadowFindings {
    pub verdicts: Vec<Verdict>,
    pub trials: Vec<RuleTrial>,
}

/// Evaluator of the rules that nothing waits for.
pub struct ShadowEvaluator {
    set: Option<Arc<RuleSet>>,
    /// None while the set has no rule for shadow.
    evaluator: Option<Evaluator>,
    /// Versions in shadow, by the rules' numbers.
    versions: Vec<(usize, VersionKey)>,
    budget: ShadowBudget,
    trials: TrialLog,
    limiter: ShadowLimiter,
    kafka_from_us: Option<i64>,
    /// Whether inputs have passed that an evaluator that begins now has not seen.
    has_begun: bool,
    health: Health,
    stop: CancellationToken,
}

impl ShadowEvaluator {
    /// `has_begun`: the sources are read on from a written state, which has nothing of shadow.
    pub fn new(
        cpu_per_second: Duration,
        (kafka_from_us, has_begun): (Option<i64>, bool),
        health: Health,
        stop: CancellationToken,
    ) -> Self {
        ShadowEvaluator {
            set: None,
            evaluator: None,
            versions: Vec::new(),
            budget: ShadowBudget::new(cpu_per_second),
            trials: TrialLog::default(),
            limiter: ShadowLimiter::default(),
            kafka_from_us,
            has_begun,
            health,
            stop,
        }
    }

    /// Evaluates until the armed evaluator or the leadership ends. What is left in the queue
    /// then is not evaluated: trials say so.
    pub fn run(
        mut self,
        queue: &ShadowQueue,
        results: &mpsc::Sender<ShadowFindings>,
    ) -> anyhow::Result<()> {
        if let Err(error) = rustix::process::nice(NICENESS) {
            tracing::warn!(%error, "shadow runs at the priority of everything else");
        }
        while let Some(batch) = queue.next() {
            if self.stop.is_cancelled() {
                break;
            }
            let at_us = batch.at_us;
            let found = contained(|| self.take(batch)).unwrap_or_else(|why| {
                self.begin_anew(&why, at_us);
                ShadowFindings::default()
            });
            let is_empty = found.verdicts.is_empty() && found.trials.is_empty();
            if !is_empty && results.blocking_send(found).is_err() {
                break;
            }
        }
        let metrics = &self.health.metrics.rule_use;
        metrics.asleep.reset();
        metrics.shadow_gap.set(0);
        // Whoever ends before the stop would end the leadership.
        while !self.stop.is_cancelled() && queue.next().is_some() {}
        Ok(())
    }

    fn take(&mut self, batch: ShadowBatch) -> ShadowFindings {
        if let Some(set) = batch.rules {
            self.swap(set, batch.at_us);
        }
        let Some(mut evaluator) = self.evaluator.take() else {
            return ShadowFindings::default();
        };
        if let Some(lost) = batch.lost {
            evaluator.mark_gap();
            self.trials
                .all_miss(lost.since_us, TrialGapCause::QueueFull);
        }
        let now = now_us();
        self.allow(&mut evaluator, now);
        let mut found = Vec::new();
        for input in &batch.inputs {
            if self.stop.is_cancelled() {
                return ShadowFindings::default();
            }
            evaluator.evaluate(input, &mut found);
        }
        self.spend(&mut evaluator, batch.at_us);
        let budget = &self.budget;
        self.trials
            .evaluated(batch.at_us, |version| !budget.is_asleep(version));
        self.count_errors(&mut evaluator);
        self.evaluator = Some(evaluator);
        ShadowFindings {
            verdicts: self.verdicts(&batch.inputs, found),
            trials: self.trials.report(now_us()),
        }
    }

    fn swap(&mut self, set: Arc<RuleSet>, at_us: i64) {
        let version = |(number, rule): (usize, &CompiledRule)| {
            (number, (rule.header.id.clone(), rule.hash.clone()))
        };
        self.versions = set.selected(RuleSelection::Shadow).map(version).collect();
        let is_there = |version: &VersionKey| self.versions.iter().any(|(_, key)| key == version);
        self.budget.keep(is_there);
        self.trials
            .set(self.versions.iter().map(|(_, key)| key.clone()), at_us);
        self.evaluator = match (self.evaluator.take(), self.versions.is_empty()) {
            (_, true) => None,
            (Some(mut evaluator), false) => {
                evaluator.swap(Arc::clone(&set));
                Some(evaluator)
            }
            (None, false) => Some(self.begin(&set)),
        };
        // A first rule that comes later begins in the middle too.
        self.has_begun = true;
        self.set = Some(set);
        self.pause_sleepers();
    }

    /// Makes an evaluator that has seen nothing. Only the first begins where the sources do.
    fn begin(&self, set: &Arc<RuleSet>) -> Evaluator {
        let all = vec![true; set.rules().count()];
        let mut evaluator = Evaluator::build(Arc::clone(set), RuleSelection::Shadow, all);
        evaluator.begins(self.kafka_from_us, None);
        if self.has_begun {
            evaluator.mark_gap();
        }
        evaluator
    }

    /// Begins anew after a panic.
    fn begin_anew(&mut self, why: &str, at_us: i64) {
        tracing::error!("evaluation of shadow panicked, and begins anew: {why}");
        self.health.metrics.rule_use.shadow_failures.inc();
        self.trials.all_miss(at_us, TrialGapCause::Failed);
        self.evaluator = self.set.clone().map(|set| self.begin(&set));
        self.pause_sleepers();
    }

    fn pause_sleepers(&mut self) {
        let Some(evaluator) = &mut self.evaluator else {
            return;
        };
        for (number, version) in &self.versions {
            if self.budget.is_asleep(version) {
                evaluator.pause(*number);
            }
        }
        self.show_sleepers();
    }

    /// Wakes who has slept, and allows each rule what it has left of this second.
    fn allow(&mut self, evaluator: &mut Evaluator, now_us: i64) {
        let awake = self.budget.wake(now_us);
        for version in &awake {
            let number = self.versions.iter().find(|(_, key)| key == version);
            if let Some((number, _)) = number {
                evaluator.resume(*number);
            }
        }
        if !awake.is_empty() {
            self.show_sleepers();
        }
        let rules = self.versions.last().map_or(0, |(number, _)| number + 1);
        let mut left = vec![Duration::ZERO; rules];
        for (number, version) in &self.versions {
            left[*number] = self.budget.left(version, now_us);
        }
        evaluator.allow(left, self.stop.clone());
    }

    /// Counts what each rule used of the batch that was handed over at `at_us`.
    fn spend(&mut self, evaluator: &mut Evaluator, at_us: i64) {
        evaluator.settle_uses();
        let (uses, now) = (evaluator.take_uses(), now_us());
        let metrics = &self.health.metrics.rule_use;
        let mut fell_asleep = false;
        for (number, version) in &self.versions {
            let Some(used) = uses.get(*number).filter(|used| used.calls > 0) else {
                continue;
            };
            metrics.add([&version.0, "shadow"], used.calls, used.time, now);
            let Some(until_us) = self.budget.spend(version, used.time, now) else {
                continue;
            };
            tracing::warn!(
                rule = version.0,
                version = version.1,
                until_us,
                "a rule in shadow went past its processor budget and sleeps: make it cheaper"
            );
            metrics
                .over_budget
                .with_label_values(&[version.0.as_str(), "shadow"])
                .inc();
            evaluator.pause(*number);
            self.trials
                .misses(version, at_us, TrialGapCause::OverBudget);
            fell_asleep = true;
        }
        if fell_asleep {
            self.show_sleepers();
        }
    }

    fn show_sleepers(&self) {
        let mut asleep = Vec::new();
        self.health.metrics.rule_use.asleep.reset();
        for (_, version) in &self.versions {
            let sleeps = self.budget.is_asleep(version);
            let gauge = self
                .health
                .metrics
                .rule_use
                .asleep
                .with_label_values(&[&version.0]);
            if sleeps {
                asleep.push(version.0.clone());
                gauge.set(1);
            }
        }
        self.health.status.update(|s| s.shadow.asleep = asleep);
    }

    fn count_errors(&self, evaluator: &mut Evaluator) {
        for error in evaluator.errors() {
            let errors = &self.health.metrics.rule_errors;
            let errors = errors.with_label_values(&[&error.rule]);
            errors.inc();
            // A rule that fails on every row must not flood the log.
            if errors.get().is_power_of_two() {
                tracing::warn!(rule = %error.rule, times = errors.get(), message = %error.message, "a rule in shadow failed to evaluate");
            }
        }
    }

    /// Verdicts of the findings. None opens anything, whatever the rule's text says.
    fn verdicts(&mut self, inputs: &[RuleInput], found: Vec<Finding>) -> Vec<Verdict> {
        let version = self.set.as_ref().map_or(0, |set| set.version());
        let origins = origins_of(inputs.iter().filter_map(RuleInput::transaction), &found);
        let found: Vec<(Finding, i64)> = found.into_iter().map(|one| (one, version)).collect();
        let mut made = verdicts(&found);
        for verdict in &mut made {
            verdict.mode = "shadow";
            verdict.breakers.clear();
        }
        name_origins(&mut made, origins);
        self.limiter.keep(&mut made, self.health.metrics);
        made
    }
}
