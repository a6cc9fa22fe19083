//! Tap of the armed evaluator: hands its inputs to shadow, and never waits for it.

use crate::health::Health;
use crate::rules::runtime::rule_selection::RuleSelection;
use crate::rules::runtime::rule_set::RuleSet;
use crate::stream::change::RuleInput;
use crossbeam_channel::Sender;
use sluice_contract::clock::now_us;
use std::sync::Arc;

/// Inputs that found the queue full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostInputs {
    /// When the first of them passed.
    pub since_us: i64,
    pub inputs: u64,
}

/// Inputs of one message, for shadow.
#[derive(Debug, Default)]
pub struct ShadowBatch {
    /// When it was handed over.
    pub at_us: i64,
    /// Rule set that these and all later inputs are evaluated with, if it is another one.
    pub rules: Option<Arc<RuleSet>>,
    /// What is missing before these inputs.
    pub lost: Option<LostInputs>,
    pub inputs: Vec<RuleInput>,
}

/// The armed evaluator's end of the queue.
pub struct ShadowTap {
    batches: Sender<ShadowBatch>,
    pending: ShadowBatch,
    lost: Option<LostInputs>,
    /// Whether the set has rules for shadow at all.
    is_wanted: bool,
    health: Health,
}

impl ShadowTap {
    pub fn new(batches: Sender<ShadowBatch>, rules: &Arc<RuleSet>, health: Health) -> ShadowTap {
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
        let Err(refused) = self.batches.try_send(batch) else {
            if let Some(lost) = self.lost.take() {
                self.gap_ends(lost, now);
            }
            return;
        };
        // The set is not lost: it goes with the next batch.
        self.pending.rules = refused.into_inner().rules;
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
