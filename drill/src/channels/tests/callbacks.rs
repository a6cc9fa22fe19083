//! Callbacks tell results: once, often, early, late, until somebody listens.

use crate::channels::tests::{TRADE_TIME, bench, bench_with};
use crate::channels::{ScriptedAction, SimulatorKind};

#[tokio::test]
async fn results_are_told_by_callback() {
    let bench = bench().await;
    let kind = SimulatorKind::UnionPay;
    bench.script(
        kind,
        "twice",
        ScriptedAction::DuplicateCallback { times: 3 },
    );
    bench.script(kind, "bad", ScriptedAction::FailLater { ms: 20 });
    bench.script(kind, "back", ScriptedAction::ReturnAfterSuccess { ms: 60 });
    bench.script(kind, "never", ScriptedAction::NoCallback);
    assert_eq!(bench.pay(kind, "U1", TRADE_TIME, "plain", 1).await, "00");
    assert_eq!(bench.query(kind, "U1", TRADE_TIME).await, "05");
    assert_eq!(bench.wait_codes("U1", 1).await, ["00S"]);
    for (serial, to, codes) in [
        ("U2", "twice", vec!["00S", "00S", "00S"]),
        ("U3", "bad", vec!["00F"]),
        ("U4", "back", vec!["00S", "00R"]),
        ("U5", "never", vec![]),
    ] {
        assert_eq!(bench.pay(kind, serial, TRADE_TIME, to, 1).await, "00");
        assert_eq!(bench.wait_codes(serial, codes.len()).await, codes, "{to}");
    }
    assert_eq!(bench.query(kind, "U4", TRADE_TIME).await, "00R");
    let summary = bench.simulator.summary(Some(kind));
    assert_eq!((summary.count, summary.returned), (4, 1));
    bench.script(
        SimulatorKind::NetsUnion,
        "slow",
        ScriptedAction::InProcessThenNotify { ms: 400 },
    );
    assert_eq!(
        bench
            .pay(SimulatorKind::NetsUnion, "N1", TRADE_TIME, "slow", 1)
            .await,
        "2001"
    );
    assert_eq!(
        bench
            .query(SimulatorKind::NetsUnion, "N1", TRADE_TIME)
            .await,
        "2001"
    );
    assert_eq!(bench.wait_codes("N1", 1).await, ["0000"]);
}

#[tokio::test]
async fn a_callback_can_come_before_the_reply() {
    let bench = bench().await;
    bench.script(
        SimulatorKind::UnionPay,
        "early",
        ScriptedAction::CallbackBeforeReply,
    );
    assert_eq!(
        bench
            .pay(SimulatorKind::UnionPay, "E1", TRADE_TIME, "early", 1)
            .await,
        "00"
    );
    assert_eq!(bench.codes("E1"), ["00S"]);
    assert_eq!(bench.wait_codes("E1", 1).await.len(), 1);
}

#[tokio::test]
async fn a_callback_is_repeated_until_it_is_taken() {
    let bench = bench_with(None, 3).await;
    assert_eq!(
        bench
            .pay(SimulatorKind::UnionPay, "R1", TRADE_TIME, "plain", 1)
            .await,
        "00"
    );
    assert_eq!(bench.wait_codes("R1", 1).await, ["00S"]);
    assert_eq!(bench.simulator.callbacks(), (0, 0));
}
