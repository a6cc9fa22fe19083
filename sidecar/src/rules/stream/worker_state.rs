//! The state of all workers together, as one evaluator would have it.

use crate::rules::runtime::finding::RuleError;
use crate::rules::runtime::rule_meter::RuleUse;
use crate::rules::stream::workers::RuleWorkers;
use crate::stream::change::SourceKind;
use std::collections::BTreeSet;
use std::sync::Arc;

impl RuleWorkers {
    /// See `Evaluator::holds`.
    pub fn holds(&self) -> Vec<String> {
        let Some(evaluator) = &self.alone else {
            let all: BTreeSet<&String> = self
                .states
                .iter()
                .flat_map(|state| state.holds.iter())
                .collect();
            return all.into_iter().cloned().collect();
        };
        evaluator.holds()
    }

    /// See `Evaluator::holds_version`.
    pub fn holds_version(&self) -> u64 {
        self.alone.as_ref().map_or_else(
            || self.states.iter().map(|state| state.holds_version).sum(),
            |alone| alone.holds_version(),
        )
    }

    /// See `Evaluator::open_pairs`.
    pub fn open_pairs(&self) -> usize {
        self.alone.as_ref().map_or_else(
            || self.states.iter().map(|state| state.open_pairs).sum(),
            |alone| alone.open_pairs(),
        )
    }

    /// See `Evaluator::memory_bytes`. What another worker has is 0 with each but its own.
    pub fn memory_bytes(&self) -> Vec<usize> {
        let Some(alone) = &self.alone else {
            let mut all = Vec::new();
            for state in &self.states {
                all.resize(all.len().max(state.memory_bytes.len()), 0);
                let pairs = all.iter_mut().zip(&state.memory_bytes);
                pairs.for_each(|(sum, more)| *sum += more);
            }
            return all;
        };
        alone.memory_bytes()
    }

    /// See `Evaluator::lagging`.
    pub fn lagging(&self) -> usize {
        self.alone.as_ref().map_or_else(
            || self.states.iter().map(|state| state.lagging).sum(),
            |alone| alone.lagging(),
        )
    }

    /// See `Evaluator::needs_from`: whoever needs most decides for all.
    pub fn needs_from(&self, source: SourceKind) -> Option<Arc<str>> {
        if let Some(evaluator) = &self.alone {
            return evaluator.needs_from(source);
        }
        let most = self.states.iter().min_by_key(|state| state.binlog_from)?;
        most.needs[usize::from(source == SourceKind::Kafka)].clone()
    }

    /// See `Evaluator::errors`.
    pub fn errors(&mut self) -> Vec<RuleError> {
        self.alone
            .as_mut()
            .map_or_else(|| std::mem::take(&mut self.errors), |alone| alone.errors())
    }

    /// See `Evaluator::take_uses`.
    pub fn take_uses(&mut self) -> Vec<RuleUse> {
        self.alone
            .as_mut()
            .map_or_else(|| std::mem::take(&mut self.uses), |alone| alone.take_uses())
    }
}
