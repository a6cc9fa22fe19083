//! Small recordings of which every figure is known.

use crate::backtest::report::BacktestReport;
use crate::backtest::{BacktestOptions, BacktestSource};
use crate::recording::{RecordingEntry, RecordingMark, RecordingReader, RecordingWriter};
use crate::rules::RuleFiles;
use crate::rules::runtime::rule_set::RuleSet;
use crate::stream::change::{
    ChangeOp, ChangeTransaction, ColumnValue, RowChange, RowImage, RuleInput, SourceKind,
    TableSchema,
};
use rust_decimal::Decimal;
use sluice_contract::settings::Secret;
use std::path::Path;
use std::sync::Arc;

const SECOND_US: i64 = 1_000_000;

/// Orders of more than `limit` stop their account.
fn limit(limit: u32) -> (String, String) {
    let head = "id='limit'\nguards='x'\nkind='duplicate'\nseverity='minor'\nmode='trip'\nbreaker='cash_out/account'\nowner='x'\nrunbook='x'\n[trigger]\non='row'\ntable='orders'\nops=['insert']";
    let body = format!(
        "fn check(row) {{ let o = row.after; if o.amount > parse_decimal(\"{limit}\") {{ violation(o.account_id, o.order_id, `${{o.amount}}`) }} }}"
    );
    ("limit.rhai".to_owned(), rule(head, &body))
}

/// Every order was asked for within a second.
fn asked() -> (String, String) {
    let head = "id='asked'\nguards='x'\nkind='duplicate'\nseverity='minor'\nmode='draft'\nowner='x'\nrunbook='x'\n[trigger]\non='pair'\nleft={table='orders',op='insert',key='biz_no'}\nright={event='withdraw.requested',key='biz_no'}\nwithin_ms=1000\nkeep_ms=2000\nrequire='left'";
    let body = "fn check(order, event) { }\nfn missing(order) { violation(order.account_id, order.order_id, \"nobody asked\") }";
    ("asked.rhai".to_owned(), rule(head, body))
}

fn rule(head: &str, body: &str) -> String {
    head.lines()
        .map(|line| format!("//! {line}\n"))
        .collect::<String>()
        + "\n"
        + body
        + "\n"
}

fn set(rules: Vec<(String, String)>) -> Arc<RuleSet> {
    Arc::new(
        RuleSet::build(
            &RuleFiles::of(rules),
            Secret::new("no signature is asked for"),
        )
        .unwrap(),
    )
}

fn row(table: &str, columns: &[(&str, &str)], from: Option<&[(&str, &str)]>) -> Arc<RowChange> {
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
        table: Arc::new(TableSchema {
            name: table.to_owned(),
            columns: names,
        }),
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
fn order(number: u32, account: &str, amount: &str, claimed_s: Option<i64>) -> RecordingEntry {
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

fn transaction(number: u32, change: Arc<RowChange>) -> RecordingEntry {
    let position = format!("0-1-{number}").into();
    RecordingEntry::Input(RuleInput::Transaction(Arc::new(ChangeTransaction {
        position,
        changes: vec![change],
    })))
}

fn at(seconds: i64) -> RecordingEntry {
    RecordingEntry::Input(RuleInput::Watermark {
        source: SourceKind::Binlog,
        at_us: seconds * SECOND_US,
    })
}

fn events_at(seconds: i64) -> RecordingEntry {
    RecordingEntry::Input(RuleInput::Watermark {
        source: SourceKind::Kafka,
        at_us: seconds * SECOND_US,
    })
}

fn begin(mid_stream: bool) -> RecordingEntry {
    RecordingEntry::Mark(RecordingMark::Begin {
        mid_stream,
        rules: "then".into(),
    })
}

fn written(dir: &Path, records: &[RecordingEntry]) {
    let mut writer = RecordingWriter::open(dir, 16).unwrap();
    for record in records {
        writer.push(record).unwrap();
        // Many blocks, so that batches are in flight.
        writer.flush().unwrap();
    }
    writer.finish().unwrap();
}

fn tried(dir: &Path, trial: &BacktestOptions) -> (BacktestReport, String) {
    let mut lines = Vec::new();
    let from = BacktestSource::Recording(Box::new(RecordingReader::open(dir, false).unwrap()));
    let report = crate::backtest::run(from, trial, Some(&mut lines), &mut |_| {}).unwrap();
    (report, String::from_utf8(lines).unwrap())
}

fn trial(set: Arc<RuleSet>, against: Option<Arc<RuleSet>>) -> BacktestOptions {
    BacktestOptions {
        set,
        against,
        workers: 1,
        drafts: true,
        resume_after_us: None,
    }
}

/// A1 asks for 600 and A2 for 2,000; both are claimed; a person lets A2 go on.
fn story() -> Vec<RecordingEntry> {
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

#[test]
fn an_edited_rule_newly_fires_no_longer_fires_and_holds() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &story());
    let (narrow, wide) = (set(vec![limit(1_000)]), set(vec![limit(500)]));
    let (report, lines) = tried(
        dir.path(),
        &trial(Arc::clone(&wide), Some(Arc::clone(&narrow))),
    );
    let rule = &report.rules[0];
    assert_eq!(
        (rule.new, rule.gone, rule.same, rule.now.violations),
        (1, 0, 1, 2)
    );
    assert_eq!(rule.new_examples[0].account_id, "A1");
    assert_eq!(lines.lines().count(), 2);
    let sums = |held: &crate::backtest::what_if::BreakerEffects| {
        held.held
            .iter()
            .map(|(currency, sum)| format!("{} {} {currency}", sum.orders, sum.amount))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        sums(&report.held),
        ["2 2600 CNY"],
        "each order once, and none after the reset"
    );
    assert_eq!(sums(report.held_then.as_ref().unwrap()), ["1 2000 CNY"]);
    let told: Vec<_> = report
        .held
        .openings
        .iter()
        .map(|o| {
            (
                o.breaker.as_str(),
                o.from_us / SECOND_US,
                o.until_us / SECOND_US,
                o.closed_by,
                o.longest_us / SECOND_US,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("cash_out/account/A1", 1, 20, "end", 17),
            ("cash_out/account/A2", 4, 8, "person", 3)
        ]
    );
    let (back, _) = tried(dir.path(), &trial(narrow, Some(wide)));
    assert_eq!(
        (back.rules[0].new, back.rules[0].gone, back.rules[0].same),
        (0, 1, 1)
    );
}

#[test]
fn what_a_restart_reads_again_is_not_held_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut records = vec![
        begin(false),
        order(9, "A1", "10", None),
        order(9, "A1", "10", Some(1)),
        at(2),
    ];
    // Opened after that claim, and read again with the breaker open.
    records.extend([order(1, "A1", "600", None), at(3)]);
    records.extend([
        begin(false),
        order(9, "A1", "10", Some(1)),
        order(1, "A1", "600", None),
        at(3),
    ]);
    records.extend([order(1, "A1", "600", Some(4)), at(5)]);
    written(dir.path(), &records);
    let (report, lines) = tried(dir.path(), &trial(set(vec![limit(500)]), None));
    assert_eq!((report.seen.starts, lines.lines().count()), (2, 1));
    assert_eq!(report.held.held["CNY"].orders, 1, "{:?}", report.held);
}

#[test]
fn a_breaker_resumes_after_the_time_that_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &story());
    let trial = BacktestOptions {
        resume_after_us: Some(5 * SECOND_US),
        ..trial(set(vec![limit(500)]), None)
    };
    let (report, _) = tried(dir.path(), &trial);
    let told: Vec<_> = report
        .held
        .openings
        .iter()
        .map(|o| (o.until_us / SECOND_US, o.closed_by))
        .collect();
    assert_eq!(told, [(6, "resume"), (8, "person")]);
    assert!(report.against.is_none() && report.rules[0].then.is_none() && report.rules[0].new == 0);
}

#[test]
fn near_a_gap_a_missing_half_is_no_violation() {
    let dir = tempfile::tempdir().unwrap();
    let mut records = vec![
        begin(true),
        order(1, "A1", "1", None),
        at(10),
        events_at(10),
        at(12),
        events_at(12),
    ];
    // Well after the beginning: this one was really not asked for.
    records.extend([
        order(2, "A2", "1", None),
        at(20),
        events_at(20),
        at(22),
        events_at(22),
    ]);
    records.extend([
        RecordingEntry::Mark(RecordingMark::Gap { lost: 3 }),
        order(3, "A3", "1", None),
    ]);
    records.extend([
        at(30),
        events_at(30),
        at(32),
        events_at(32),
        at(40),
        events_at(40),
    ]);
    written(dir.path(), &records);
    let (report, lines) = tried(dir.path(), &trial(set(vec![asked()]), None));
    assert_eq!(
        (
            report.rules[0].now.violations,
            report.rules[0].now.undetermined
        ),
        (1, 2),
        "{lines}"
    );
    assert_eq!((report.seen.gaps, report.seen.lost), (1, 3));
    // Without drafts it says nothing.
    let silent = BacktestOptions {
        drafts: false,
        ..trial(set(vec![asked()]), None)
    };
    assert_eq!(tried(dir.path(), &silent).1, "");
}

#[test]
fn any_number_of_workers_writes_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &story());
    let of = |workers| {
        let trial = BacktestOptions {
            workers,
            ..trial(
                set(vec![limit(500), asked()]),
                Some(set(vec![limit(1_000)])),
            )
        };
        let (report, lines) = tried(dir.path(), &trial);
        (serde_json::to_string(&report).unwrap(), lines)
    };
    let one = of(1);
    assert!(one.1.lines().count() >= 2);
    for workers in [1, 2, 4] {
        assert!(of(workers) == one, "{workers} workers");
    }
}
