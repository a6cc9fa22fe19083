//! Sources of inputs and the options of a backtest.

use crate::recording::RecordingReader;
use crate::recording::binlog_files::BinlogFiles;
use crate::recording::read::RecordingBlock;
use crate::rules::runtime::rule_set::RuleSet;
use std::sync::Arc;

/// A source of inputs: a recording, or binlog files.
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

    pub(super) fn block(&mut self) -> anyhow::Result<Option<RecordingBlock>> {
        match self {
            BacktestSource::Recording(reader) => reader.block(),
            BacktestSource::Binlog(files) => files.block(),
        }
    }

    pub(super) fn notes(&self) -> Vec<String> {
        match self {
            BacktestSource::Recording(reader) => reader.notes().to_vec(),
            BacktestSource::Binlog(files) => files.notes().to_vec(),
        }
    }
}

/// Options of one backtest: the set to try, and how.
pub struct BacktestOptions {
    pub set: Arc<RuleSet>,
    /// Set that it is compared with.
    pub against: Option<Arc<RuleSet>>,
    pub workers: usize,
    /// Rules in mode `draft` are evaluated too.
    pub drafts: bool,
    /// An open breaker is taken to be closed after this; else only a person's reset
    /// in the recording closes it.
    pub resume_after_us: Option<i64>,
}

/// Progress of a backtest, in bytes read and changes seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BacktestProgress {
    pub read: u64,
    pub changes: u64,
}
