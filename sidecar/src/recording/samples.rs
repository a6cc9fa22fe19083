//! Samples for the tests of recordings.

use crate::recording::format::segment;
use crate::recording::{RecordingEntry, RecordingMark, RecordingReader, RecordingWriter};
use crate::stream::change::{
    ChangeOp, ChangeTransaction, ColumnValue, RowChange, RowImage, RuleInput, SourceKind,
    TableSchema,
};
use rust_decimal::Decimal;
use std::path::Path;
use std::sync::Arc;

/// Comparable words for a record; `Debug` shows every digit of a decimal.
pub fn words(records: &[RecordingEntry]) -> Vec<String> {
    records.iter().map(|record| format!("{record:?}")).collect()
}

pub fn read_all(
    dir: &Path,
    skip_damaged: bool,
) -> anyhow::Result<(Vec<RecordingEntry>, Vec<String>)> {
    let mut reader = RecordingReader::open(dir, skip_damaged)?;
    let mut all = Vec::new();
    while let Some(block) = reader.block()? {
        all.extend(block.records);
    }
    Ok((all, reader.notes().to_vec()))
}

pub fn write_all(dir: &Path, records: &[RecordingEntry]) {
    let mut writer = RecordingWriter::open(dir, 16).unwrap();
    records
        .iter()
        .for_each(|record| writer.push(record).unwrap());
    writer.finish().unwrap();
}

pub fn begin() -> RecordingEntry {
    RecordingEntry::Mark(RecordingMark::Begin {
        mid_stream: false,
        rules: "0123456789abcdef".into(),
    })
}

pub fn watermark(at_us: i64) -> RecordingEntry {
    RecordingEntry::Input(RuleInput::Watermark {
        source: SourceKind::Binlog,
        at_us,
    })
}

/// A transaction with rows of a size.
pub fn transaction(number: usize, rows: usize, length: usize) -> RecordingEntry {
    let table = Arc::new(TableSchema::new(
        "entry",
        vec!["account_id".to_owned(), "amount".to_owned()],
    ));
    // Nothing that zstd could shorten much.
    let mut noise = number as u64 + 1;
    let mut letter = || {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + ((noise >> 33) % 90) as u8)
    };
    let mut row = |at: usize| {
        let text: String = (0..length).map(|_| letter()).collect();
        let image: RowImage = Box::new([
            ColumnValue::Text(text.into()),
            ColumnValue::Dec(Decimal::new(at as i64, 2)),
        ]);
        Arc::new(RowChange {
            table: Arc::clone(&table),
            op: ChangeOp::Insert,
            before: None,
            after: Some(image),
        })
    };
    let changes = (0..rows).map(&mut row).collect();
    RecordingEntry::Input(RuleInput::Transaction(Arc::new(ChangeTransaction {
        position: format!("0-1-{number}").into(),
        changes,
    })))
}

pub fn segments(dir: &Path) -> Vec<std::path::PathBuf> {
    segment::list(dir)
        .unwrap()
        .into_iter()
        .map(|segment| segment.path)
        .collect()
}
