//! One serial number on one day is one payment, and the book knows all of them.

use crate::channels::tests::{NEXT_DAY_TRADE_TIME, TRADE_TIME, bench, bench_with};
use crate::channels::{ScriptedAction, SimulatorKind};
use std::time::Duration;
use tokio::time::sleep;

#[tokio::test]
async fn one_serial_on_one_day_is_paid_once() {
    let bench = bench().await;
    for (kind, first, duplicate, conflict, paid) in [
        (SimulatorKind::NetsUnion, "0000", "9002", "1003", "0000"),
        (SimulatorKind::UnionPay, "00", "03", "12", "00S"),
    ] {
        assert_eq!(bench.pay(kind, "S1", TRADE_TIME, "acct", 1234).await, first);
        assert_eq!(
            bench.pay(kind, "S1", TRADE_TIME, "acct", 1234).await,
            duplicate
        );
        // Later the same day is the same day.
        assert_eq!(
            bench.pay(kind, "S1", "20261121235959", "acct", 1234).await,
            duplicate
        );
        assert_eq!(
            bench.pay(kind, "S1", TRADE_TIME, "acct", 1235).await,
            conflict
        );
        assert_eq!(
            bench.pay(kind, "S1", TRADE_TIME, "other", 1234).await,
            conflict
        );
        sleep(Duration::from_millis(100)).await;
        assert_eq!(bench.query(kind, "S1", TRADE_TIME).await, paid);
        assert_eq!(bench.simulator.summary(Some(kind)).count, 1);
        assert!(bench.simulator.summary(Some(kind)).doubled.is_empty());
    }
    // Each channel paid the serial number once, which is twice in all.
    assert_eq!(bench.simulator.summary(None).doubled, ["S1"]);
}

#[tokio::test]
async fn many_at_once_are_paid_once() {
    let bench = bench().await;
    let calls = (0..40).map(|_| bench.pay(SimulatorKind::NetsUnion, "S1", TRADE_TIME, "acct", 1));
    let codes = futures_util::future::join_all(calls).await;
    assert_eq!(codes.iter().filter(|c| *c == "0000").count(), 1);
    assert_eq!(codes.iter().filter(|c| *c == "9002").count(), 39);
    assert_eq!(bench.simulator.book().len(), 1);
}

#[tokio::test]
async fn another_day_pays_again() {
    let bench = bench().await;
    assert_eq!(
        bench
            .pay(SimulatorKind::NetsUnion, "S1", TRADE_TIME, "acct", 1234)
            .await,
        "0000"
    );
    assert_eq!(
        bench
            .query(SimulatorKind::NetsUnion, "S1", NEXT_DAY_TRADE_TIME)
            .await,
        "9001"
    );
    assert_eq!(
        bench
            .pay(
                SimulatorKind::NetsUnion,
                "S1",
                NEXT_DAY_TRADE_TIME,
                "acct",
                1234
            )
            .await,
        "0000"
    );
    let summary = bench.simulator.summary(Some(SimulatorKind::NetsUnion));
    assert_eq!((summary.count, summary.doubled), (2, vec!["S1".to_owned()]));
    assert_eq!(summary.sums["CNY"], "24.68");
}

#[tokio::test]
async fn the_book_holds_what_was_paid_whatever_was_said() {
    let bench = bench().await;
    let kind = SimulatorKind::NetsUnion;
    for (serial, action, said, found) in answers() {
        bench.script(kind, &format!("*-{serial}"), action);
        assert_eq!(
            bench
                .pay(kind, serial, TRADE_TIME, &format!("acct-{serial}"), 100)
                .await,
            said,
            "{serial}"
        );
        sleep(Duration::from_millis(150)).await;
        assert_eq!(
            bench.query(kind, serial, TRADE_TIME).await,
            found,
            "{serial}"
        );
        let paid = bench
            .simulator
            .book()
            .iter()
            .filter(|p| p.serial_no == serial)
            .count();
        assert_eq!(paid, usize::from(found == "0000"), "{serial}");
    }
    // A refused trade stays refused.
    assert_eq!(
        bench.pay(kind, "T8", TRADE_TIME, "acct-T8", 100).await,
        "9002"
    );
    assert_eq!(bench.simulator.book().len(), 5);
}

#[tokio::test]
async fn the_book_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("book.jsonl");
    {
        let bench = bench_with(Some(&file), 0).await;
        bench.script(
            SimulatorKind::UnionPay,
            "open",
            ScriptedAction::InProcessThenNotify { ms: 60_000 },
        );
        assert_eq!(
            bench
                .pay(SimulatorKind::NetsUnion, "S1", TRADE_TIME, "acct", 1234)
                .await,
            "0000"
        );
        assert_eq!(
            bench
                .pay(SimulatorKind::UnionPay, "S2", TRADE_TIME, "open", 5)
                .await,
            "00"
        );
    }
    // A line torn by a kill.
    let mut text = std::fs::read(&file).unwrap();
    text.extend_from_slice(b"{\"channel\":\"nets");
    std::fs::write(&file, text).unwrap();
    let bench = bench_with(Some(&file), 0).await;
    assert_eq!(
        bench
            .pay(SimulatorKind::NetsUnion, "S1", TRADE_TIME, "acct", 1234)
            .await,
        "9002"
    );
    // What was in process is settled and told.
    assert_eq!(bench.wait_codes("S2", 1).await, ["00S"]);
    let book = bench.simulator.book();
    assert_eq!(
        book.iter()
            .map(|p| p.serial_no.as_str())
            .collect::<Vec<_>>(),
        ["S1", "S2"]
    );
    assert_eq!(bench.simulator.summary(None).sums["CNY"], "12.39");
}

/// Serial number, action, answer, and the code that a query finds afterwards.
type AnsweredAction = (&'static str, ScriptedAction, &'static str, &'static str);

fn answers() -> Vec<AnsweredAction> {
    let hold_ms = 50;
    vec![
        (
            "T1",
            ScriptedAction::TimeoutAfterPaying { hold_ms },
            "HTTP 504",
            "0000",
        ),
        (
            "T2",
            ScriptedAction::TimeoutWithoutPaying { hold_ms },
            "HTTP 504",
            "9001",
        ),
        (
            "T3",
            ScriptedAction::UnknownCode {
                code: "7777".into(),
                pays: true,
            },
            "7777",
            "0000",
        ),
        (
            "T4",
            ScriptedAction::UnknownCode {
                code: "7777".into(),
                pays: false,
            },
            "7777",
            "9001",
        ),
        ("T5", ScriptedAction::Http500AfterPaying, "HTTP 500", "0000"),
        (
            "T6",
            ScriptedAction::JunkBody { pays: true },
            "HTTP 200",
            "0000",
        ),
        (
            "T7",
            ScriptedAction::JunkBody { pays: false },
            "HTTP 200",
            "9001",
        ),
        ("T8", ScriptedAction::Fail, "1001", "1001"),
        ("T9", ScriptedAction::NoCallback, "2001", "0000"),
    ]
}
