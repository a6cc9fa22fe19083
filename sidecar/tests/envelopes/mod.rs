//! Debezium's own messages, in every order in which Kafka may deliver them, and what
//! is no envelope that can be trusted.

mod order;
mod refusals;
mod repeated;

use order::*;
use sluice_contract::schema::Schemas;
use sluice_sidecar::debezium::FeedMessagePosition;
use sluice_sidecar::debezium::transactions::TransactionAssembler;
use sluice_sidecar::stream::batches::ControlRow;
use sluice_sidecar::stream::change::{ChangeOp, ColumnValue};
use std::collections::BTreeMap;

type CapturedTopics = BTreeMap<String, Vec<Option<String>>>;

fn captured() -> CapturedTopics {
    let mut log = CapturedTopics::new();
    for line in include_str!("deposit.tsv").lines() {
        let (topic, value) = line.split_once('\t').unwrap();
        log.entry(topic.to_owned())
            .or_default()
            .push((value != "null").then(|| value.to_owned()));
    }
    log
}

fn assembler(position: &str) -> TransactionAssembler {
    TransactionAssembler::new("bank", &Schemas::under("sluice").unwrap(), position).unwrap()
}

fn take(
    assembler: &mut TransactionAssembler,
    topic: &str,
    offset: i64,
    value: &Option<String>,
) -> anyhow::Result<()> {
    assembler.take(
        FeedMessagePosition {
            topic,
            partition: 0,
            offset,
        },
        value.as_deref().map(str::as_bytes),
    )
}

/// Collects what came out: position, and each change's table and operation.
fn drain(assembler: &mut TransactionAssembler, into: &mut Vec<String>) {
    while let Some(ended) = assembler.next_whole().unwrap() {
        let Some(item) = ended else { continue };
        let changes: Vec<String> = item
            .transaction
            .changes
            .iter()
            .map(|c| format!("{} {:?}", c.table.name, c.op))
            .collect();
        into.push(format!(
            "{}: {}",
            item.transaction.position,
            changes.join(", ")
        ));
    }
}

#[test]
fn values_are_what_the_binlog_has() {
    let (log, mut one) = (captured(), assembler(""));
    for (topic, messages) in &log {
        for (offset, value) in messages.iter().enumerate() {
            take(&mut one, topic, offset as i64, value).unwrap();
        }
    }
    let first = one.next_whole().unwrap().unwrap().unwrap();
    assert!(
        matches!(
            first.control_rows[..],
            [ControlRow::Heartbeat { .. }, ControlRow::Heartbeat { .. }]
        ),
        "{:?}",
        first.control_rows
    );
    let deposit = one.next_whole().unwrap().unwrap().unwrap();
    let entry = &deposit.transaction.changes[1];
    let at = |name: &str| entry.after.as_ref().unwrap()[entry.table.column(name).unwrap()].clone();
    assert_eq!((entry.op, entry.before.is_none()), (ChangeOp::Insert, true));
    assert_eq!(
        at("amount"),
        ColumnValue::Dec(rust_decimal::Decimal::from_str_exact("100.0000").unwrap())
    );
    assert_eq!(
        (at("line"), at("side")),
        (ColumnValue::Int(0), ColumnValue::Text("D".into()))
    );
}
