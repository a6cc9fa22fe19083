//! The pass: inputs in batches to every variant, marks between them.

use crate::backtest::report::RecordingStats;
use crate::backtest::variant::BacktestVariant;
use crate::backtest::verdict::VerdictOutput;
use crate::recording::{RecordingEntry, RecordingMark};
use crate::stream::change::RuleInput;
use std::sync::Arc;

/// One pass over the recording, by all variants together.
pub(super) struct BacktestPass {
    variants: Vec<BacktestVariant>,
    stats: RecordingStats,
    begun: bool,
}

impl BacktestPass {
    pub(super) fn new(variants: Vec<BacktestVariant>) -> BacktestPass {
        BacktestPass {
            variants,
            stats: RecordingStats::default(),
            begun: false,
        }
    }

    pub(super) fn stats(&self) -> &RecordingStats {
        &self.stats
    }

    pub(super) fn end(self) -> (Vec<BacktestVariant>, RecordingStats) {
        (self.variants, self.stats)
    }

    pub(super) fn block(
        &mut self,
        records: Vec<RecordingEntry>,
        lines: &mut VerdictOutput<'_>,
    ) -> anyhow::Result<()> {
        let mut inputs = Vec::with_capacity(records.len());
        for record in records {
            match record {
                RecordingEntry::Input(input) => {
                    if !self.begun {
                        self.mark(&oldest_is_gone(), lines)?;
                    }
                    self.stats.count(&input);
                    inputs.push(input);
                }
                RecordingEntry::Mark(mark) => {
                    self.evaluate(std::mem::take(&mut inputs), lines)?;
                    self.mark(&mark, lines)?;
                }
            }
        }
        self.evaluate(inputs, lines)
    }

    fn evaluate(
        &mut self,
        inputs: Vec<RuleInput>,
        lines: &mut VerdictOutput<'_>,
    ) -> anyhow::Result<()> {
        if inputs.is_empty() {
            return Ok(());
        }
        let inputs: Arc<[RuleInput]> = inputs.into();
        self.each(lines, |variant, lines| variant.begin(&inputs, lines))
    }

    fn mark(&mut self, mark: &RecordingMark, lines: &mut VerdictOutput<'_>) -> anyhow::Result<()> {
        let begun = std::mem::replace(&mut self.begun, true);
        match mark {
            RecordingMark::Begin { mid_stream, rules } => {
                self.stats.starts += 1;
                self.set(rules);
                self.each(lines, |variant, lines| variant.renew(*mid_stream, lines))
            }
            RecordingMark::Rules { hash } => {
                self.set(hash);
                // A segment may begin with it; what came before is not there.
                if begun {
                    Ok(())
                } else {
                    self.each(lines, |variant, lines| variant.mark_gap(lines))
                }
            }
            RecordingMark::Gap { lost } => {
                self.stats.gaps += 1;
                self.stats.lost += lost;
                self.each(lines, |variant, lines| variant.mark_gap(lines))
            }
        }
    }

    fn set(&mut self, hash: &str) {
        if !hash.is_empty() && !self.stats.sets.iter().any(|known| known == hash) {
            self.stats.sets.push(hash.to_owned());
        }
    }

    /// Only the first variant's verdicts are written.
    fn each(
        &mut self,
        lines: &mut VerdictOutput<'_>,
        mut to: impl FnMut(&mut BacktestVariant, &mut VerdictOutput<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut none: VerdictOutput<'_> = None;
        for (at, variant) in self.variants.iter_mut().enumerate() {
            to(variant, if at == 0 { &mut *lines } else { &mut none })?;
        }
        Ok(())
    }
}

/// The oldest segments are gone: this is not the beginning.
fn oldest_is_gone() -> RecordingMark {
    RecordingMark::Begin {
        mid_stream: true,
        rules: Arc::default(),
    }
}
