//! Entries of small recordings.

use crate::recording::{RecordingEntry, RecordingMark, RecordingWriter};
use crate::stream::change::{
    ChangeOp, ChangeTransaction, ColumnValue, RowChange, RowImage, RuleInput, SourceKind,
    TableSchema,
};
use rust_decimal::Decimal;
use std::path::Path;
use std::sync::Arc;

pub const SECOND_US: i64 = 1_000_000;

pub fn row(table: &str, columns: &[(&str, &str)], from: Option<&[(&str, &str)]>) -> Arc<RowChange> {
    let names = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let image = |values: &[(&str, &str)]| -> RowImage {
        let value = |(name, text): &(&str, &str)| match *name {
            "amount" => ColumnValue::Dec(Decimal::from_str_exact(text).unwrap()),
            "updated_us" => ColumnValue::Int(text.parse().unwrap()),
            _ => ColumnValue::Text((*text).into()),
        };
        values.iter().map(value).collect()
    };
    Arc::new(RowChange {
        table: Arc::new(TableSchema::new(table, names)),
        op: if from.is_some() {
            ChangeOp::Update
        } else {
            ChangeOp::Insert
        },
        before: from.map(image),
        after: Some(image(columns)),
    })
}

/// An order: inserted, or claimed from `init`.
pub fn order(number: u32, account: &str, amount: &str, claimed_s: Option<i64>) -> RecordingEntry {
    let (id, at) = (
        format!("o{number}"),
        claimed_s.map_or(0, |s| s * SECOND_US).to_string(),
    );
    let columns = |state: &'static str| {
        [
            ("account_id", account),
            ("order_id", &id),
            ("biz_no", &id),
            ("kind", "cash_out"),
            ("amount", amount),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into_iter()
        .chain(
            [("currency", "CNY"), ("state", state), ("updated_us", &at)]
                .map(|(n, v)| (n.to_owned(), v.to_owned())),
        )
        .collect::<Vec<_>>()
    };
    let (init, dispatching) = (columns("init"), columns("dispatching"));
    let lend = |owned: &'_ [(String, String)]| -> Vec<(String, String)> { owned.to_vec() };
    let (before, after) = match claimed_s {
        None => (None, lend(&init)),
        Some(_) => (Some(lend(&init)), lend(&dispatching)),
    };
    let after: Vec<(&str, &str)> = after
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    let before: Option<Vec<(&str, &str)>> = before.as_ref().map(|before| {
        before
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect()
    });
    let turn = if claimed_s.is_some() { 1_000 } else { 0 };
    transaction(number + turn, row("orders", &after, before.as_deref()))
}

pub fn transaction(number: u32, change: Arc<RowChange>) -> RecordingEntry {
    let position = format!("0-1-{number}").into();
    RecordingEntry::Input(RuleInput::Transaction(Arc::new(ChangeTransaction {
        position,
        changes: vec![change],
    })))
}

pub fn at(seconds: i64) -> RecordingEntry {
    RecordingEntry::Input(RuleInput::Watermark {
        source: SourceKind::Binlog,
        at_us: seconds * SECOND_US,
    })
}

pub fn events_at(seconds: i64) -> RecordingEntry {
    RecordingEntry::Input(RuleInput::Watermark {
        source: SourceKind::Kafka,
        at_us: seconds * SECOND_US,
    })
}

pub fn begin(mid_stream: bool) -> RecordingEntry {
    RecordingEntry::Mark(RecordingMark::Begin {
        mid_stream,
        rules: "then".into(),
    })
}

pub fn written(dir: &Path, records: &[RecordingEntry]) {
    let mut writer = RecordingWriter::open(dir, 16).unwrap();
    for record in records {
        writer.push(record).unwrap();
        // Many blocks, so that batches are in flight.
        writer.flush().unwrap();
    }
    writer.finish().unwrap();
}

/// A1 asks for 600 and A2 for 2,000; both are claimed; a person lets A2 go on.
pub fn day() -> Vec<RecordingEntry> {
    let closed = [
        ("point", "cash_out"),
        ("scope", "account"),
        ("scope_key", "A2"),
        ("state", "closed"),
        ("updated_us", "8000000"),
    ];
    vec![
        begin(false),
        at(1),
        order(1, "A1", "600", None),
        at(2),
        order(1, "A1", "600", Some(3)),
        at(4),
        order(2, "A2", "2000", None),
        order(2, "A2", "2000", Some(5)),
        transaction(900, row("breaker", &closed, None)),
        order(3, "A2", "70.50", Some(9)),
        at(10),
        // Again, as after a lost connection.
        order(2, "A2", "2000", None),
        order(1, "A1", "600", Some(11)),
        at(20),
    ]
}
