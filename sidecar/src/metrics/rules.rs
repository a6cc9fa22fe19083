//! Metrics of rules: what each costs, whether it ran, and what shadow misses.

use crate::metrics::registry::{counter, counters, gauge, registered};
use prometheus::{CounterVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts};
use std::time::Duration;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Use that rules make of the processor, and inputs that shadow did not see.
pub struct RuleUseMetrics {
    seconds: CounterVec,
    evaluations: IntCounterVec,
    last_run: IntGaugeVec,
    pub over_budget: IntCounterVec,
    pub asleep: IntGaugeVec,
    pub shadow_lost: IntCounter,
    pub shadow_gap: IntGauge,
    pub shadow_failures: IntCounter,
}

impl RuleUseMetrics {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(RuleUseMetrics {
            seconds: registered(CounterVec::new(
                Opts::new(
                    "sluice_sidecar_rule_seconds_total",
                    "Processor time of a rule's calls",
                ),
                &["rule", "mode"],
            ))?,
            evaluations: counters(
                "sluice_sidecar_rule_evaluations_total",
                "Calls of a rule",
                &["rule", "mode"],
            )?,
            last_run: registered(IntGaugeVec::new(
                Opts::new(
                    "sluice_sidecar_rule_last_run_seconds",
                    "Time of a rule's last call, in seconds since 1970",
                ),
                &["rule", "mode"],
            ))?,
            over_budget: counters(
                "sluice_sidecar_rule_over_budget_total",
                "Seconds in which a rule took more processor time than rules.cpu_ms_per_s",
                &["rule", "mode"],
            )?,
            asleep: registered(IntGaugeVec::new(
                Opts::new(
                    "sluice_sidecar_rule_asleep",
                    "1 while a rule in shadow sleeps past its processor budget",
                ),
                &["rule"],
            ))?,
            shadow_lost: counter(
                "sluice_sidecar_shadow_lost_inputs_total",
                "Inputs that rules in shadow did not see, since they can't keep up",
            )?,
            shadow_gap: gauge(
                "sluice_sidecar_shadow_gap",
                "1 while inputs pass that rules in shadow don't see",
            )?,
            shadow_failures: counter(
                "sluice_sidecar_shadow_failures_total",
                "Failures of the evaluation in shadow, which began anew",
            )?,
        })
    }

    /// Counts calls of a rule up to `now_us`, and the processor time that they took.
    pub fn add(&self, labels: [&str; 2], calls: u64, time: Duration, now_us: i64) {
        self.seconds
            .with_label_values(&labels)
            .inc_by(time.as_secs_f64());
        self.evaluations.with_label_values(&labels).inc_by(calls);
        self.last_run
            .with_label_values(&labels)
            .set(now_us / MICROS_PER_SECOND);
    }
}
