//! One rule set over a recording: its evaluator, its verdicts, its breakers.

use crate::backtest::verdict::{BacktestVerdict, VariantResult, VerdictOutput};
use crate::backtest::what_if::BreakerSimulator;
use crate::rules::RuleWorkers;
use crate::rules::runtime::finding::{Finding, FindingOutcome};
use crate::rules::runtime::rule_selection::RuleSelection;
use crate::rules::runtime::rule_set::RuleSet;
use crate::rules::stream::workers::{InputFinding, MAX_BATCHES_AHEAD};
use crate::stream::change::RuleInput;
use anyhow::{Context, bail};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// Verdicts that are kept for comparing and showing, some 1 KiB each. A rule with
/// more findings than this needs no comparing.
const MAX_KEPT_VERDICTS: usize = 200_000;
/// Verdicts whose ids are remembered, so that each counts once: half a gigabyte. A set
/// that finds more is wrong everywhere, and the backtest ends.
const MAX_KNOWN_IDS: usize = 1 << 24;

/// One set over the recording.
pub struct BacktestVariant {
    set: Arc<RuleSet>,
    workers: usize,
    selection: RuleSelection,
    team: RuleWorkers,
    simulator: BreakerSimulator,
    /// Ids of verdicts, as numbers.
    known: HashSet<u128>,
    result: VariantResult,
    in_flight: VecDeque<Arc<[RuleInput]>>,
}

impl BacktestVariant {
    pub fn new(
        set: Arc<RuleSet>,
        workers: usize,
        drafts: bool,
        resume_after_us: Option<i64>,
    ) -> anyhow::Result<BacktestVariant> {
        let selection = match drafts {
            true => RuleSelection::Every,
            false => RuleSelection::Live,
        };
        Ok(BacktestVariant {
            team: RuleWorkers::new(Arc::clone(&set), workers, selection)?,
            set,
            workers,
            selection,
            simulator: BreakerSimulator::new(resume_after_us),
            known: HashSet::new(),
            result: VariantResult::default(),
            in_flight: VecDeque::new(),
        })
    }

    /// Evaluates a batch, now or while others are read.
    pub fn begin(
        &mut self,
        inputs: &Arc<[RuleInput]>,
        lines: &mut VerdictOutput<'_>,
    ) -> anyhow::Result<()> {
        while self.team.in_flight() >= MAX_BATCHES_AHEAD {
            self.collect(lines)?;
        }
        self.team.begin(inputs)?;
        self.in_flight.push_back(Arc::clone(inputs));
        Ok(())
    }

    /// Waits until everything that was begun is done.
    pub fn settle(&mut self, lines: &mut VerdictOutput<'_>) -> anyhow::Result<()> {
        while self.team.in_flight() > 0 {
            self.collect(lines)?;
        }
        Ok(())
    }

    /// Begins with a new evaluator, with nothing remembered, as the recording says. The breakers
    /// stay: they were in the database.
    pub fn renew(&mut self, mid_stream: bool, lines: &mut VerdictOutput<'_>) -> anyhow::Result<()> {
        self.settle(lines)?;
        self.simulator.again();
        self.team = RuleWorkers::new(Arc::clone(&self.set), self.workers, self.selection)?;
        // As live; how far Kafka was read back is not recorded.
        self.team.begins(None, None)?;
        if mid_stream {
            self.team.mark_gap()
        } else {
            Ok(())
        }
    }

    pub fn mark_gap(&mut self, lines: &mut VerdictOutput<'_>) -> anyhow::Result<()> {
        self.settle(lines)?;
        self.team.mark_gap()
    }

    fn collect(&mut self, lines: &mut VerdictOutput<'_>) -> anyhow::Result<()> {
        let (Some(batch), Some(inputs)) = (self.team.collect()?, self.in_flight.pop_front()) else {
            return Ok(());
        };
        for error in batch.errors {
            self.result
                .errors
                .entry(error.rule)
                .or_insert(error.message);
        }
        let mut found = batch.found.into_iter().peekable();
        for (at, input) in inputs.iter().enumerate() {
            match input {
                RuleInput::Watermark { at_us, .. } => self.simulator.time(*at_us),
                RuleInput::Transaction(transaction) => self.simulator.transaction(transaction),
                RuleInput::Event(_) | RuleInput::AtRest(_) => {}
            }
            while let Some(InputFinding { finding, .. }) = found.next_if(|found| found.input == at)
            {
                self.finding(&finding, lines)?;
            }
        }
        Ok(())
    }

    fn finding(&mut self, finding: &Finding, lines: &mut VerdictOutput<'_>) -> anyhow::Result<()> {
        // What live knows already moves nothing.
        let id = u128::from_str_radix(&finding.verdict_id, 16)
            .context("a verdict's id is no hexadecimal number")?;
        if !self.known.insert(id) {
            return Ok(());
        }
        if self.known.len() > MAX_KNOWN_IDS {
            bail!(
                "more than {MAX_KNOWN_IDS} verdicts, the last of rule {}: try that rule on less",
                finding.rule.id
            );
        }
        self.simulator.finding(finding);
        let verdict = BacktestVerdict::of(finding);
        if let Some(lines) = lines {
            serde_json::to_writer(&mut *lines, &verdict)?;
            lines.write_all(b"\n")?;
        }
        let counts = self.result.counts.entry(verdict.rule.clone()).or_default();
        counts[usize::from(finding.outcome == FindingOutcome::Undetermined)] += 1;
        if self.result.verdicts.len() < MAX_KEPT_VERDICTS {
            self.result.verdicts.push(verdict);
        } else {
            self.result.unkept += 1;
        }
        Ok(())
    }

    /// Ends the recording.
    pub fn end(mut self, lines: &mut VerdictOutput<'_>) -> anyhow::Result<VariantResult> {
        self.settle(lines)?;
        self.result.held = self.simulator.end();
        Ok(self.result)
    }
}
