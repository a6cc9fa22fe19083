//! One backtest from its source to its report: a thread decodes, the variants evaluate.

use crate::backtest::pass::BacktestPass;
use crate::backtest::report::BacktestReport;
use crate::backtest::source::{BacktestOptions, BacktestProgress, BacktestSource};
use crate::backtest::variant::BacktestVariant;
use crate::backtest::verdict::{VariantResult, VerdictOutput};
use crate::recording::read::RecordingBlock;
use anyhow::Context;
use crossbeam_channel::{Receiver, bounded};
use std::sync::Arc;
use std::thread::JoinHandle;

/// Blocks that are decoded ahead of the evaluator.
const MAX_DECODED_BLOCKS: usize = 4;

/// Blocks as they are decoded, and the thread that decodes them: it ends with notes.
type DecodedBlocks = (
    Receiver<anyhow::Result<RecordingBlock>>,
    JoinHandle<Vec<String>>,
);

/// Evaluates all of `source`. Verdicts of the tried set go to `lines` as they are
/// found, a JSON object each.
///
/// # Errors
/// Damage of the recording, `lines`' own, or a dead thread.
pub fn run(
    source: BacktestSource,
    trial: &BacktestOptions,
    mut lines: VerdictOutput<'_>,
    report_progress: &mut dyn FnMut(BacktestProgress),
) -> anyhow::Result<BacktestReport> {
    let mut pass = BacktestPass::new(variants(trial)?);
    let (decoded, reader) = decode(source)?;
    for block in decoded {
        let block = block?;
        pass.block(block.records, &mut lines)?;
        report_progress(BacktestProgress {
            read: block.read,
            changes: pass.stats().changes,
        });
    }
    let (variants, mut stats) = pass.end();
    stats.notes = reader
        .join()
        .map_err(|_| anyhow::anyhow!("the thread that reads the recording panicked"))?;
    let mut results = results(variants, &mut lines)?;
    let then = if results.len() > 1 {
        results.pop()
    } else {
        None
    };
    let now = results.pop().unwrap_or_default();
    Ok(BacktestReport::of(
        stats,
        (&trial.set, now),
        trial.against.as_deref().zip(then),
    ))
}

/// The tried set first, then the one to compare with.
fn variants(trial: &BacktestOptions) -> anyhow::Result<Vec<BacktestVariant>> {
    let sets = std::iter::once(&trial.set).chain(&trial.against);
    sets.map(|set| {
        BacktestVariant::new(
            Arc::clone(set),
            trial.workers,
            trial.drafts,
            trial.resume_after_us,
        )
    })
    .collect()
}

fn decode(mut source: BacktestSource) -> anyhow::Result<DecodedBlocks> {
    let (blocks, decoded) = bounded(MAX_DECODED_BLOCKS);
    let reader = std::thread::Builder::new()
        .name("sluice-decode".to_owned())
        .spawn(move || {
            loop {
                let block = match source.block() {
                    Ok(Some(block)) => Ok(block),
                    Ok(None) => return source.notes(),
                    Err(error) => Err(error),
                };
                let failed = block.is_err();
                if blocks.send(block).is_err() || failed {
                    return source.notes();
                }
            }
        });
    let reader = reader.context("the thread that reads the recording")?;
    Ok((decoded, reader))
}

/// Ends every variant; only the first one's verdicts are written.
fn results(
    variants: Vec<BacktestVariant>,
    lines: &mut VerdictOutput<'_>,
) -> anyhow::Result<Vec<VariantResult>> {
    let mut results = Vec::new();
    for (at, variant) in variants.into_iter().enumerate() {
        let mut none: VerdictOutput<'_> = None;
        let output = if at == 0 { &mut *lines } else { &mut none };
        results.push(variant.end(output)?);
    }
    Ok(results)
}
