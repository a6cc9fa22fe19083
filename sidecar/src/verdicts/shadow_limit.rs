//! Limit of what shadow may write down. A trial that finds something in every row must cost
//! neither the database nor the commits of the rules that are armed.

use crate::metrics::SidecarMetrics;
use crate::verdicts::Verdict;
use sluice_contract::clock::now_us;
use std::collections::HashMap;

/// Verdicts of one version within an hour: far beyond what any rule may have to be
/// promoted, and enough to see why.
pub const MAX_SHADOW_VERDICTS_PER_HOUR: u64 = 10_000;
const HOUR_US: i64 = 3_600_000_000;

/// Counts by rule and version, from hour to hour.
#[derive(Debug, Default)]
pub struct ShadowLimiter {
    since_us: i64,
    counts: HashMap<(String, String), u64>,
}

impl ShadowLimiter {
    /// Takes out what is too many; it is counted and not written down.
    pub fn keep(&mut self, verdicts: &mut Vec<Verdict>, metrics: &SidecarMetrics) {
        let now = now_us();
        if now.saturating_sub(self.since_us) >= HOUR_US {
            self.since_us = now;
            self.counts.clear();
        }
        verdicts.retain(|v| {
            if v.is_armed() {
                return true;
            }
            let count = self.counts.entry((v.rule.clone(), v.rule_hash.clone())).or_default();
            *count += 1;
            if *count == MAX_SHADOW_VERDICTS_PER_HOUR + 1 {
                tracing::error!(
                    rule = v.rule,
                    version = v.rule_hash,
                    "more than {MAX_SHADOW_VERDICTS_PER_HOUR} findings in shadow within the hour: the others are only counted"
                );
            }
            if *count > MAX_SHADOW_VERDICTS_PER_HOUR {
                metrics.workflow.shadow_unwritten.with_label_values(&[v.rule.as_str()]).inc();
            }
            *count <= MAX_SHADOW_VERDICTS_PER_HOUR
        });
    }
}
