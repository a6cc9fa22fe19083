//! Backtests: a rule set over a recording, with the same evaluator, windows, pairs
//! and breakers as live, and beside it the set to compare with.

pub mod report;

#[cfg(test)]
mod tests;

pub mod variant;
pub mod what_if;

pub use crate::backtest::report::BacktestReport;

use crate::backtest::report::RecordingStats;
use crate::backtest::variant::{BacktestVariant, VerdictOutput};
use crate::recording::binlog_files::BinlogFiles;
use crate::recording::read::RecordingBlock;
use crate::recording::{RecordingEntry, RecordingMark, RecordingReader};
use crate::rules::runtime::rule_set::RuleSet;
use crate::stream::change::{RuleInput, SourceKind};
use anyhow::Context;
use crossbeam_channel::bounded;
use std::sync::Arc;

/// Blocks that are decoded ahead of the evaluator.
const MAX_DECODED_BLOCKS: usize = 4;

/// What is read.
pub enum BacktestSource {
    Recording(Box<RecordingReader>),
    Binlog(Box<BinlogFiles>),
}

impl BacktestSource {
    /// Bytes in all.
    pub fn total(&self) -> u64 {
        match self {
            BacktestSource::Recording(reader) => reader.total(),
            BacktestSource::Binlog(files) => files.total(),
        }
    }

    fn block(&mut self) -> anyhow::Result<Option<RecordingBlock>> {
        match self {
            BacktestSource::Recording(reader) => reader.block(),
            BacktestSource::Binlog(files) => files.block(),
        }
    }

    fn notes(&self) -> Vec<String> {
        match self {
            BacktestSource::Recording(reader) => reader.notes().to_vec(),
            BacktestSource::Binlog(files) => files.notes().to_vec(),
        }
    }
}

/// What is tried.
pub struct BacktestOptions {
    pub set: Arc<RuleSet>,
    /// What it is compared with.
    pub against: Option<Arc<RuleSet>>,
    pub workers: usize,
    /// Rules in mode `draft` are evaluated too.
    pub drafts: bool,
    /// An open breaker is taken to be closed after this; else only a person's reset
    /// in the recording closes it.
    pub resume_after_us: Option<i64>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BacktestProgress {
    pub read: u64,
    pub changes: u64,
}

/// Evaluates all of `from`. Verdicts of the tried set go to `lines` as they are
/// found, a JSON object each.
///
/// # Errors
/// Damage of the recording, `lines`' own, or a dead thread.
pub fn run(
    mut from: BacktestSource,
    trial: &BacktestOptions,
    mut lines: VerdictOutput<'_>,
    told: &mut dyn FnMut(BacktestProgress),
) -> anyhow::Result<BacktestReport> {
    let side = |set: &Arc<RuleSet>| {
        BacktestVariant::new(
            Arc::clone(set),
            trial.workers,
            trial.drafts,
            trial.resume_after_us,
        )
    };
    let mut sides = vec![side(&trial.set)?];
    if let Some(against) = &trial.against {
        sides.push(side(against)?);
    }
    let (blocks, decoded) = bounded::<anyhow::Result<RecordingBlock>>(MAX_DECODED_BLOCKS);
    let reader = std::thread::Builder::new()
        .name("sluice-decode".to_owned())
        .spawn(move || {
            loop {
                let block = match from.block() {
                    Ok(Some(block)) => Ok(block),
                    Ok(None) => return from.notes(),
                    Err(error) => Err(error),
                };
                let failed = block.is_err();
                if blocks.send(block).is_err() || failed {
                    return from.notes();
                }
            }
        });
    let reader = reader.context("the thread that reads the recording")?;
    let mut pass = BacktestPass {
        sides,
        seen: RecordingStats::default(),
        begun: false,
    };
    for block in decoded {
        let block = block?;
        pass.block(block.records, &mut lines)?;
        told(BacktestProgress {
            read: block.read,
            changes: pass.seen.changes,
        });
    }
    let BacktestPass {
        sides, mut seen, ..
    } = pass;
    seen.notes = reader
        .join()
        .map_err(|_| anyhow::anyhow!("the thread that reads the recording panicked"))?;
    let mut said = Vec::new();
    for (at, side) in sides.into_iter().enumerate() {
        let mut none: VerdictOutput<'_> = None;
        said.push(side.end(if at == 0 { &mut lines } else { &mut none })?);
    }
    let then = if said.len() > 1 { said.pop() } else { None };
    let now = said.pop().unwrap_or_default();
    Ok(BacktestReport::of(
        seen,
        (&trial.set, now),
        trial.against.as_deref().zip(then),
    ))
}

/// One pass over the recording, by all sides together.
struct BacktestPass {
    sides: Vec<BacktestVariant>,
    seen: RecordingStats,
    begun: bool,
}

impl BacktestPass {
    fn block(
        &mut self,
        records: Vec<RecordingEntry>,
        lines: &mut VerdictOutput<'_>,
    ) -> anyhow::Result<()> {
        let mut inputs = Vec::with_capacity(records.len());
        for record in records {
            match record {
                RecordingEntry::Input(input) => {
                    if !self.begun {
                        // The oldest segments are gone: this is not the beginning.
                        self.mark(
                            &RecordingMark::Begin {
                                mid_stream: true,
                                rules: Arc::default(),
                            },
                            lines,
                        )?;
                    }
                    self.count(&input);
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

    fn count(&mut self, input: &RuleInput) {
        match input {
            RuleInput::Transaction(transaction) => {
                self.seen.transactions += 1;
                self.seen.changes += transaction.changes.len() as u64;
            }
            RuleInput::Event(_) => self.seen.events += 1,
            // No part of a stream.
            RuleInput::AtRest(_) => {}
            RuleInput::Watermark { source, at_us } => {
                self.seen.watermarks += 1;
                if *source == SourceKind::Binlog {
                    self.seen.from_us = if self.seen.from_us == 0 {
                        *at_us
                    } else {
                        self.seen.from_us.min(*at_us)
                    };
                    self.seen.to_us = self.seen.to_us.max(*at_us);
                }
            }
        }
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
        self.each(lines, |side, lines| side.begin(&inputs, lines))
    }

    fn mark(&mut self, mark: &RecordingMark, lines: &mut VerdictOutput<'_>) -> anyhow::Result<()> {
        let begun = std::mem::replace(&mut self.begun, true);
        match mark {
            RecordingMark::Begin { mid_stream, rules } => {
                self.seen.starts += 1;
                self.set(rules);
                self.each(lines, |side, lines| side.renew(*mid_stream, lines))
            }
            RecordingMark::Rules { hash } => {
                self.set(hash);
                // A segment may begin with it; what came before is not there.
                if begun {
                    Ok(())
                } else {
                    self.each(lines, |side, lines| side.mark_gap(lines))
                }
            }
            RecordingMark::Gap { lost } => {
                self.seen.gaps += 1;
                self.seen.lost += lost;
                self.each(lines, |side, lines| side.mark_gap(lines))
            }
        }
    }

    fn set(&mut self, hash: &str) {
        if !hash.is_empty() && !self.seen.sets.iter().any(|known| known == hash) {
            self.seen.sets.push(hash.to_owned());
        }
    }

    /// Only the first side's verdicts are written.
    fn each(
        &mut self,
        lines: &mut VerdictOutput<'_>,
        mut to: impl FnMut(&mut BacktestVariant, &mut VerdictOutput<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut none: VerdictOutput<'_> = None;
        for (at, side) in self.sides.iter_mut().enumerate() {
            to(side, if at == 0 { &mut *lines } else { &mut none })?;
        }
        Ok(())
    }
}
