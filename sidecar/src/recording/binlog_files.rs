//! Binlog files as a recording: the same events through the same grouper. There are
//! no business events in them, and time is what the sidecar's own checkpoint rows
//! say.

use crate::binlog::transactions::{GroupingStep, TransactionGrouper};
use crate::binlog::watched_tables::WatchedTables;
use crate::recording::read::RecordingBlock;
use crate::recording::{RecordingEntry, RecordingMark};
use crate::stream::batches::ControlRow as Own;
use crate::stream::change::{RuleInput, SourceKind};
use crate::stream::gtid::{Flavour, GtidSet};
use anyhow::{Context, bail};
use mysql_common::binlog::consts::BinlogVersion;
use mysql_common::binlog::events::{Event, TransactionPayloadEvent};
use mysql_common::binlog::{BinlogFileHeader, EventStreamReader};
use sluice_contract::schema::Schemas;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Changes per block; as the live reader's batches, and some more.
const CHANGES_PER_BLOCK: usize = 4_096;

// Events that say which transactions came before a file.
const PREVIOUS_GTIDS_EVENT: u8 = 35;
const GTID_LIST_EVENT: u8 = 163;
/// What follows can't be read without the server's key.
const START_ENCRYPTION_EVENT: u8 = 164;
const TRANSACTION_PAYLOAD_EVENT: u8 = 40;

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
    /// Files of one server, in their order.
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

    /// Some thousand changes; `None` at the end.
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

    /// One event; returns how many changes it ended.
    fn advance(&mut self, records: &mut Vec<RecordingEntry>) -> anyhow::Result<usize> {
        let Some(current) = &mut self.current else {
            return Ok(0);
        };
        let at = current.input.stream_position()?;
        let place = |path: &Path| format!("{}, byte {at}", path.display());
        let event = match current.reader.read(&mut current.input) {
            Ok(event) => event,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                self.notes.push(format!(
                    "{}: the last event is not whole; was the file copied while it grew?",
                    place(&current.path)
                ));
                None
            }
            Err(error) => return Err(error).with_context(|| place(&current.path)),
        };
        let Some(event) = event else {
            self.done += std::fs::metadata(&current.path).map_or(0, |meta| meta.len());
            self.current = None;
            return Ok(0);
        };
        let mut events = Vec::new();
        if event.header().event_type_raw() == TRANSACTION_PAYLOAD_EVENT {
            events = inner(&mut current.reader, &event).with_context(|| place(&current.path))?;
        }
        let name = place(&current.path);
        let mut changes = 0;
        for event in std::iter::once(event).chain(events) {
            changes += self.apply(&event, records).with_context(|| name.clone())?;
        }
        Ok(changes)
    }

    fn apply(&mut self, event: &Event, records: &mut Vec<RecordingEntry>) -> anyhow::Result<usize> {
        let raw = event.header().event_type_raw();
        if raw == START_ENCRYPTION_EVENT {
            bail!("the file is encrypted; read it from the server instead (sluice record)");
        }
        if self.grouper.is_none() {
            // The first event describes the server.
            let version = self
                .current
                .as_ref()
                .map(|current| current.reader.get_fde().server_version());
            let is_mariadb =
                version.is_some_and(|version| version.to_lowercase().contains("mariadb"));
            let flavour = if is_mariadb {
                Flavour::MariaDb
            } else {
                Flavour::MySql
            };
            let mut grouper = TransactionGrouper::new(
                WatchedTables::new(&self.schemas),
                flavour,
                GtidSet::parse(flavour, "")?,
            );
            grouper.restart(true);
            self.grouper = Some(grouper);
        }
        let Some(grouper) = &mut self.grouper else {
            return Ok(0);
        };
        let before = matches!(raw, PREVIOUS_GTIDS_EVENT | GTID_LIST_EVENT)
            .then(|| sorted(grouper))
            .filter(|p| !p.is_empty());
        let step = grouper.apply(event)?;
        if let Some(before) = before.filter(|before| *before != sorted(grouper)) {
            self.notes.push(format!(
                "files are missing: one ended at {before}, the next begins at {}",
                sorted(grouper)
            ));
            records.push(RecordingEntry::Mark(RecordingMark::Gap { lost: 0 }));
        }
        let GroupingStep::Ended(Some(item)) = step else {
            return Ok(0);
        };
        let changes = item.transaction.changes.len();
        records.push(RecordingEntry::Input(RuleInput::Transaction(
            item.transaction,
        )));
        for mark in item.control_rows {
            if let Own::Heartbeat { updated_us: at_us } = mark {
                records.push(RecordingEntry::Input(RuleInput::Watermark {
                    source: SourceKind::Binlog,
                    at_us,
                }));
            }
        }
        Ok(changes)
    }
}

/// The events of a compressed transaction.
fn inner(reader: &mut EventStreamReader, event: &Event) -> anyhow::Result<Vec<Event>> {
    let payload: TransactionPayloadEvent<'_> = event.read_event()?;
    let mut bytes = payload.decompressed()?;
    let mut events = Vec::new();
    while let Some(event) = reader.read_decompressed(&mut bytes)? {
        events.push(event);
    }
    Ok(events)
}

/// The position, with its parts in one order.
fn sorted(grouper: &TransactionGrouper) -> String {
    let position = grouper.position().render();
    let mut parts: Vec<&str> = position.split(',').collect();
    parts.sort_unstable();
    parts.join(",")
}
