//! Debezium's own messages, in every order in which Kafka may deliver them, and what
//! is no envelope that can be trusted.

use sluice_contract::schema::Schemas;
use sluice_sidecar::debezium::FeedMessagePosition;
use sluice_sidecar::debezium::transactions::TransactionAssembler;
use sluice_sidecar::stream::batches::ControlRow;
use sluice_sidecar::stream::change::{ChangeOp, ColumnValue};
use std::collections::BTreeMap;

type CapturedTopics = BTreeMap<String, Vec<Option<String>>>;

fn captured() -> CapturedTopics {
    let mut log = CapturedTopics::new();
    for line in include_str!("envelopes/deposit.tsv").lines() {
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

/// What came out: position, and each change's table and operation.
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

const WHOLE_TRANSACTIONS: [&str; 3] = [
    "0-1-188: checkpoint Update, checkpoint Update",
    "0-1-189: balance Insert, entry Insert, entry Insert, outbox Insert",
    "0-1-190: outbox Delete",
];

struct SeededRandom(u64);

impl SeededRandom {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
}

#[test]
fn whatever_the_order_of_topics_and_restarts_transactions_are_whole_and_once() {
    let seed = std::env::var("SLUICE_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(u64::from(std::process::id()));
    println!("seed {seed} (set SLUICE_SEED to play it again)");
    let mut dice = SeededRandom(seed);
    let log = captured();
    for _ in 0..300 {
        // The connector may tell everything again, behind what it told before.
        let mut log = log.clone();
        if dice.below(2) == 0 {
            log.values_mut()
                .for_each(|messages| messages.extend(messages.clone()));
        }
        let mut out = Vec::new();
        let mut one = assembler("");
        let mut next: BTreeMap<&str, usize> = log.keys().map(|topic| (topic.as_str(), 0)).collect();
        loop {
            let open: Vec<&str> = next
                .iter()
                .filter(|(t, at)| **at < log[**t].len())
                .map(|(t, _)| *t)
                .collect();
            if open.is_empty() {
                break;
            }
            let topic = open[dice.below(open.len())];
            let at = next[topic];
            take(&mut one, topic, at as i64, &log[topic][at]).unwrap();
            next.insert(topic, at + 1);
            drain(&mut one, &mut out);
            if dice.below(6) == 0 {
                // A crash: whatever was not handed over is read again.
                let position = one.position();
                one = assembler(&position);
                for (topic, at) in &mut next {
                    *at = one.read().next(topic, 0).map_or(0, |next| next as usize);
                }
            }
        }
        assert_eq!(out, WHOLE_TRANSACTIONS);
        assert!(one.waits_for().is_none() && one.waiting() == 0);
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

#[test]
fn what_cannot_be_trusted_is_refused_before_it_is_passed() {
    let log = captured();
    let entry = log["bank.sluice_ledger.entry"][0].clone().unwrap();
    let balance = "bank.sluice_ledger.entry";
    let edit = |from: &str, to: &str| {
        assert!(entry.contains(from), "{from}");
        entry.replace(from, to)
    };
    let cases = [
        (
            balance,
            edit("\"100.0000\"", "100.0"),
            "decimal.handling.mode",
        ),
        // Base64 of a decimal may look like a number of another size.
        (
            balance,
            edit("\"100.0000\"", "\"1234\""),
            "decimal.handling.mode",
        ),
        (balance, edit("\"100.0000\"", "\"1.0e2\""), "exact decimal"),
        (balance, edit("\"op\":\"c\"", "\"op\":\"m\""), "unknown"),
        (
            balance,
            edit("\"op\":\"c\"", "\"op\":\"u\""),
            "lacks an image",
        ),
        (
            balance,
            edit("\"transaction\":{\"id\"", "\"none\":{\"id\""),
            "provide.transaction.metadata",
        ),
        (
            balance,
            edit("\"line\":0", "\"line\":\"0\""),
            "whole number",
        ),
        (balance, "{\"after\":".to_owned(), "not JSON"),
        (balance, "{}".to_owned(), "envelope"),
        (
            "bank.transaction",
            r#"{"status":"ABORT","id":"0-1-1"}"#.to_owned(),
            "envelope",
        ),
        (
            "bank.transaction",
            r#"{"status":"BEGIN","id":"file=b.1,pos=4"}"#.to_owned(),
            "gtid_mode",
        ),
        ("bank", "{\"ddl\":".to_owned(), "not JSON"),
        ("other", "{}".to_owned(), "not of this feed"),
    ];
    for (topic, value, want) in cases {
        let mut one = assembler("");
        let error = format!(
            "{:#}",
            take(&mut one, topic, 7, &Some(value.clone())).unwrap_err()
        );
        assert!(error.contains(want), "{value} gave {error}");
        assert_eq!(one.read().next(topic, 0), None, "{value} was passed");
    }
    // With its schema around it, it is the same.
    let mut one = assembler("");
    take(
        &mut one,
        balance,
        0,
        &Some(format!(r#"{{"schema":{{}},"payload":{entry}}}"#)),
    )
    .unwrap();
    // More changes than the end says, or the same place twice with another change.
    let other = entry
        .replace("\"op\":\"c\"", "\"op\":\"d\"")
        .replace("\"before\":null,\"after\"", "\"after\":null,\"before\"");
    assert!(take(&mut one, balance, 1, &Some(other)).is_err());
}

/// As the connector tells a statement: what left no rows is a finding, and the feed goes on.
#[test]
fn statements_without_rows_are_named_and_the_feed_goes_on() {
    let told = |ddl: &str, gtid: &str| {
        let source = format!(r#"{{"snapshot":"false","gtid":{gtid}}}"#);
        Some(format!(
            r#"{{"source":{source},"databaseName":"sluice_ledger","ddl":"{ddl}"}}"#
        ))
    };
    let mut one = assembler("");
    let harmless = [
        "CREATE TABLE note (id INT)",
        "ALTER TABLE entry ADD COLUMN changed INT",
        "DROP USER x",
        "TRUNCATE note",
    ];
    for (offset, ddl) in (0..).zip(harmless) {
        take(&mut one, "bank", offset, &told(ddl, "null")).unwrap();
        assert!(one.next_whole().unwrap().is_none(), "{ddl}");
    }
    take(
        &mut one,
        "bank",
        4,
        &told("TRUNCATE TABLE entry", "\"0-1-500\""),
    )
    .unwrap();
    let emptied = r#"{"op":"t","source":{"gtid":"0-1-501"},"before":null,"after":null}"#.to_owned();
    take(&mut one, "bank.sluice_orders.attempt", 0, &Some(emptied)).unwrap();
    take(
        &mut one,
        "bank",
        5,
        &told("RENAME TABLE entry TO x, sluice_orders.orders TO y", "null"),
    )
    .unwrap();
    // Until it was handed over it is read again after a crash.
    assert!(one.position().contains("bank=4"), "{}", one.position());
    let mut found = Vec::new();
    while let Some(item) = one.next_whole().unwrap() {
        let item = item.unwrap();
        assert!(item.transaction.changes.is_empty());
        found.extend(
            item.unlogged
                .iter()
                .map(|u| format!("{} {}: {}", item.transaction.position, u.table, u.text)),
        );
    }
    let rename = "RENAME TABLE entry TO x, sluice_orders.orders TO y";
    let want = [
        "0-1-500 entry: TRUNCATE TABLE entry".to_owned(),
        "0-1-501 attempt: TRUNCATE TABLE attempt".to_owned(),
        format!("bank/0/5 entry: {rename}"),
        format!("bank/0/5 orders: {rename}"),
    ];
    assert_eq!(found, want);
    assert!(one.position().contains("bank=6"));
    // Transactions of before it that come later are not taken for done.
    let mut out = Vec::new();
    for (topic, messages) in &captured() {
        for (offset, value) in messages.iter().enumerate().filter(|_| topic != "bank") {
            take(&mut one, topic, offset as i64, value).unwrap();
        }
    }
    drain(&mut one, &mut out);
    assert_eq!(out, WHOLE_TRANSACTIONS);
}
