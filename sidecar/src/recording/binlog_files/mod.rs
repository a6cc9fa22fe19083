//! Binlog files as a recording: the same events through the same grouper. There are
//! no business events in them, and time is what the sidecar's own checkpoint rows
//! say.

mod events;

use crate::binlog::transactions::TransactionGrouper;
use crate::recording::format::entry::{RecordingEntry, RecordingMark};
use crate::recording::read::RecordingBlock;
use anyhow::Context;
use mysql_common::binlog::consts::BinlogVersion;
use mysql_common::binlog::{BinlogFileHeader, EventStreamReader};
use sluice_contract::schema::Schemas;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::PathBuf;
use std::sync::Arc;

/// Changes per block; as the live reader's batches, and some more.
const CHANGES_PER_BLOCK: usize = 4_096;

struct OpenBinlogFile {
    path: PathBuf,
    reader: EventStreamReader,
    input: BufReader<File>,
}

/// Binlog files, read one after the other.
pub struct BinlogFiles {
    paths: VecDeque<PathBuf>,
    schemas: Schemas,
    grouper: Option<TransactionGrouper>,
    current: Option<OpenBinlogFile>,
    done: u64,
    total: u64,
    notes: Vec<String>,
}

impl BinlogFiles {
    /// Opens files of one server, in their order.
    pub fn open(paths: &[PathBuf], schemas: &Schemas) -> anyhow::Result<BinlogFiles> {
        let mut total = 0;
        for path in paths {
            total += std::fs::metadata(path)
                .with_context(|| format!("the binlog {}", path.display()))?
                .len();
        }
        Ok(BinlogFiles {
            paths: paths.to_vec().into(),
            schemas: schemas.clone(),
            grouper: None,
            current: None,
            done: 0,
            total,
            notes: vec![
                "binlog files hold no business events: rules that pair rows with events say nothing here".to_owned(),
            ],
        })
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Reads some thousand changes; `None` at the end.
    pub fn block(&mut self) -> anyhow::Result<Option<RecordingBlock>> {
        let mut records = Vec::new();
        let mut changes = 0;
        while changes < CHANGES_PER_BLOCK {
            if self.current.is_none() && !self.begin(&mut records)? {
                break;
            }
            changes += self.advance(&mut records)?;
        }
        let at = self
            .current
            .as_mut()
            .and_then(|current| current.input.stream_position().ok())
            .unwrap_or(0);
        let more = !records.is_empty() || self.current.is_some();
        Ok(more.then_some(RecordingBlock {
            records,
            read: self.done + at,
        }))
    }

    /// Opens the next file. `false` if there is none.
    fn begin(&mut self, records: &mut Vec<RecordingEntry>) -> anyhow::Result<bool> {
        let Some(path) = self.paths.pop_front() else {
            return Ok(false);
        };
        let mut input = BufReader::new(
            File::open(&path).with_context(|| format!("the binlog {}", path.display()))?,
        );
        let no_binlog = || format!("{} does not begin as a binlog does", path.display());
        BinlogFileHeader::read(&mut input).with_context(no_binlog)?;
        match &mut self.grouper {
            Some(grouper) => grouper.restart(true),
            None => records.push(RecordingEntry::Mark(RecordingMark::Begin {
                mid_stream: true,
                rules: Arc::default(),
            })),
        }
        self.current = Some(OpenBinlogFile {
            path,
            reader: EventStreamReader::new(BinlogVersion::Version4),
            input,
        });
        Ok(true)
    }
}
