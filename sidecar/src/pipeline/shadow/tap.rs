//! Tap of the armed evaluator: hands its inputs to shadow, and never waits for it.

use crate::health::Health;
use crate::pipeline::shadow::queue::{LostInputs, ShadowBatch, ShadowFeed};
use crate::rules::runtime::rule_selection::RuleSelection;
use crate::rules::runtime::rule_set::RuleSet;
use crate::stream::change::RuleInput;
use sluice_contract::clock::now_us;
use std::sync::Arc;

/// The armed evaluator's end of the queue.
pub struct ShadowTap {
    batches: ShadowFeed,
    pending: ShadowBatch,
    lost: Option<LostInputs>,
    /// Whether the set has rules for shadow at all.
    is_wanted: bool,
    health: Health,
}

impl ShadowTap {
    pub fn new(batches: ShadowFeed, rules: &Arc<RuleSet>, health: Health) -> ShadowTap {
        let mut tap = ShadowTap {
            batches,
            pending: ShadowBatch::default(),
            lost: None,
            is_wanted: false,
            health,
        };
        tap.swap(rules);
        tap
    }

    /// From the next input on shadow evaluates with another set.
    pub fn swap(&mut self, rules: &Arc<RuleSet>) {
        self.is_wanted = rules.selected(RuleSelection::Shadow).next().is_some();
        self.pending.rules = Some(Arc::clone(rules));
    }

    pub fn input(&mut self, input: &RuleInput) {
        if self.is_wanted {
            let rows = input.transaction().map_or(1, |t| t.changes.len());
            self.pending.rows += rows as u64;
            self.pending.inputs.push(input.clone());
        }
    }

    /// Hands over the inputs of a message, or loses them.
    pub fn hand_over(&mut self) {
        if self.pending.inputs.is_empty() && self.pending.rules.is_none() {
            return;
        }
        let now = now_us();
        let mut batch = std::mem::take(&mut self.pending);
        (batch.at_us, batch.lost) = (now, self.lost);
        let inputs = batch.inputs.len() as u64;
        let Err(refused) = self.batches.offer(batch) else {
            if let Some(lost) = self.lost.take() {
                self.gap_ends(lost, now);
            }
            return;
        };
        // The set is not lost: it goes with the next batch.
        self.pending.rules = refused.rules;
        self.lose(inputs, now);
    }

    fn lose(&mut self, inputs: u64, now_us: i64) {
        if self.lost.is_none() {
            tracing::warn!("rules in shadow can't keep up: they miss what passes now");
            self.health.metrics.rule_use.shadow_gap.set(1);
            self.health.status.update(|s| {
                s.shadow.gap_since_us = Some(now_us);
                s.shadow.gap_until_us = None;
            });
        }
        let lost = self.lost.get_or_insert(LostInputs {
            since_us: now_us,
            inputs: 0,
        });
        lost.inputs += inputs;
        self.health.metrics.rule_use.shadow_lost.inc_by(inputs);
    }

    fn gap_ends(&self, lost: LostInputs, now_us: i64) {
        tracing::warn!(
            inputs = lost.inputs,
            since_us = lost.since_us,
            "rules in shadow go on, after a gap"
        );
        self.health.metrics.rule_use.shadow_gap.set(0);
        self.health
            .status
            .update(|s| s.shadow.gap_until_us = Some(now_us));
    }
}
