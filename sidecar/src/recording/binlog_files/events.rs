//! Events of a file, through the same grouper as the live reader's.

use crate::binlog::transactions::{GroupingStep, TransactionGrouper};
use crate::binlog::watched_tables::WatchedTables;
use crate::recording::binlog_files::BinlogFiles;
use crate::recording::format::entry::{RecordingEntry, RecordingMark};
use crate::stream::batches::ControlRow;
use crate::stream::change::{RuleInput, SourceKind};
use crate::stream::gtid::{Flavour, GtidSet};
use anyhow::{Context, bail};
use mysql_common::binlog::EventStreamReader;
use mysql_common::binlog::events::{Event, TransactionPayloadEvent};
use std::io::{ErrorKind, Seek};
use std::path::Path;

// Events that say which transactions came before a file.
const PREVIOUS_GTIDS_EVENT: u8 = 35;
const GTID_LIST_EVENT: u8 = 163;
/// Events after it can't be read without the server's key.
const START_ENCRYPTION_EVENT: u8 = 164;
const TRANSACTION_PAYLOAD_EVENT: u8 = 40;

impl BinlogFiles {
    /// Takes one event; returns how many changes it ended.
    pub(super) fn advance(&mut self, records: &mut Vec<RecordingEntry>) -> anyhow::Result<usize> {
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
            self.grouper = Some(self.new_grouper()?);
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
        for row in item.control_rows {
            if let ControlRow::Heartbeat { updated_us: at_us } = row {
                records.push(RecordingEntry::Input(RuleInput::Watermark {
                    source: SourceKind::Binlog,
                    at_us,
                }));
            }
        }
        Ok(changes)
    }

    /// A grouper for the server that the file's first event describes.
    fn new_grouper(&self) -> anyhow::Result<TransactionGrouper> {
        let version = self
            .current
            .as_ref()
            .map(|current| current.reader.get_fde().server_version());
        let is_mariadb = version.is_some_and(|version| version.to_lowercase().contains("mariadb"));
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
        Ok(grouper)
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
