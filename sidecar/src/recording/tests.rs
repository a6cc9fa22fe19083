//! The format: what is written comes back, whatever it is.

use crate::recording::{RecordingEntry, RecordingMark, RecordingReader, RecordingWriter};
use crate::stream::change::{
    ChangeOp, ChangeTransaction, ColumnValue, ReceivedEvent, RowChange, RowImage, RuleInput,
    SourceKind, TableSchema,
};
use proptest::prelude::*;
use rust_decimal::Decimal;
use sluice_contract::event::BusinessEvent;
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
    let table = Arc::new(TableSchema {
        name: "entry".to_owned(),
        columns: vec!["account_id".to_owned(), "amount".to_owned()],
    });
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

fn a_value() -> impl Strategy<Value = ColumnValue> {
    let decimal = (any::<i64>(), any::<i32>(), 0..=28_u32, any::<bool>()).prop_map(
        |(low, high, scale, negative)| {
            let mantissa = i128::from(high.unsigned_abs()) << 64 | i128::from(low.cast_unsigned());
            let mut number = Decimal::try_from_i128_with_scale(mantissa, scale).unwrap_or_default();
            number.set_sign_negative(negative);
            number
        },
    );
    prop_oneof![
        Just(ColumnValue::Null),
        Just(ColumnValue::Opaque),
        any::<i64>().prop_map(ColumnValue::Int),
        decimal.prop_map(ColumnValue::Dec),
        "(A-[0-9]|CNY|退票|.{0,80})".prop_map(|text| ColumnValue::Text(text.into())),
    ]
}

fn a_change() -> impl Strategy<Value = RowChange> {
    let tables = ["orders", "balance", "外"].map(|name| {
        let columns = (0..name.len()).map(|n| format!("column_{n}")).collect();
        Arc::new(TableSchema {
            name: name.to_owned(),
            columns,
        })
    });
    let image = |table: &Arc<TableSchema>| prop::collection::vec(a_value(), table.columns.len());
    prop::sample::select(tables.to_vec()).prop_flat_map(move |table| {
        (
            Just(Arc::clone(&table)),
            image(&table),
            image(&table),
            0..3_u8,
            any::<bool>(),
        )
            .prop_map(|(table, before, mut after, op, alike)| {
                if alike {
                    after = before.clone();
                }
                let (before, after): (RowImage, RowImage) = (before.into(), after.into());
                match op {
                    0 => RowChange {
                        table,
                        op: ChangeOp::Insert,
                        before: None,
                        after: Some(after),
                    },
                    1 => RowChange {
                        table,
                        op: ChangeOp::Update,
                        before: Some(before),
                        after: Some(after),
                    },
                    _ => RowChange {
                        table,
                        op: ChangeOp::Delete,
                        before: Some(before),
                        after: None,
                    },
                }
            })
    })
}

fn a_record() -> impl Strategy<Value = RecordingEntry> {
    let transaction = (
        "[0-9]-[0-9]-[0-9]{1,9}",
        prop::collection::vec(a_change(), 0..6),
    )
        .prop_map(|(position, changes)| {
            let changes = changes.into_iter().map(Arc::new).collect();
            RecordingEntry::Input(RuleInput::Transaction(Arc::new(ChangeTransaction {
                position: position.into(),
                changes,
            })))
        });
    let event = (".{0,9}", "[a-z.]{0,12}", any::<i64>(), any::<i64>()).prop_map(
        |(text, kind, amount, occurred_us)| {
            let body = BusinessEvent {
                id: text.clone(),
                kind,
                account_id: text.clone(),
                biz_no: text,
                amount: Decimal::new(amount, 4),
                currency: "CNY".to_owned(),
                occurred_us,
            };
            RecordingEntry::Input(RuleInput::Event(Arc::new(ReceivedEvent {
                position: "business.payment/0/7".into(),
                body,
            })))
        },
    );
    let watermark = (any::<bool>(), any::<i64>()).prop_map(|(kafka, at_us)| {
        let source = if kafka {
            SourceKind::Kafka
        } else {
            SourceKind::Binlog
        };
        RecordingEntry::Input(RuleInput::Watermark { source, at_us })
    });
    let mark = prop_oneof![
        any::<bool>().prop_map(|mid_stream| RecordingMark::Begin {
            mid_stream,
            rules: "0123".into()
        }),
        Just(RecordingMark::Rules {
            hash: "4567".into()
        }),
        any::<u64>().prop_map(|lost| RecordingMark::Gap { lost }),
    ];
    prop_oneof![4 => transaction, 2 => event, 1 => watermark, 1 => mark.prop_map(RecordingEntry::Mark)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn what_is_written_comes_back(records in prop::collection::vec(a_record(), 0..40), cut in 1..40_usize) {
        let dir = tempfile::tempdir().unwrap();
        // In two goes: a recording is continued in a new segment.
        let (first, second) = records.split_at(cut.min(records.len()));
        write_all(dir.path(), first);
        write_all(dir.path(), second);
        if !records.is_empty() {
            let (read, notes) = read_all(dir.path(), false).unwrap();
            prop_assert_eq!(words(&read), words(&records));
            prop_assert!(notes.is_empty(), "{:?}", notes);
        }
    }
}

#[test]
fn a_transaction_larger_than_a_block_comes_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let records = [
        begin(),
        transaction(1, 9_000, 300),
        watermark(5),
        transaction(2, 1, 1),
    ];
    write_all(dir.path(), &records);
    let (read, notes) = read_all(dir.path(), false).unwrap();
    assert!(words(&read) == words(&records) && notes.is_empty());
    assert!(
        segments(dir.path()).len() >= 2,
        "2.7 MB do not fit one segment of 2 MiB"
    );
}

pub fn segments(dir: &Path) -> Vec<std::path::PathBuf> {
    crate::recording::segment::list(dir)
        .unwrap()
        .into_iter()
        .map(|segment| segment.path)
        .collect()
}

#[test]
fn only_one_writes_and_only_the_owner_reads() {
    use std::os::unix::fs::PermissionsExt;
    let top = tempfile::tempdir().unwrap();
    let dir = top.path().join("recording");
    let mut first = RecordingWriter::open(&dir, 16).unwrap();
    let second = RecordingWriter::open(&dir, 16).err().unwrap();
    assert!(
        format!("{second:#}").contains("another process"),
        "{second:#}"
    );
    first.push(&begin()).unwrap();
    first.finish().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&segments(&dir)[0])), (0o700, 0o600));
    let small = RecordingWriter::open(&top.path().join("other"), 15)
        .err()
        .unwrap();
    assert!(format!("{small:#}").contains("max_mb"), "{small:#}");
}
