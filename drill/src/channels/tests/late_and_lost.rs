//! Channels that forget what they refused, and requests that arrive late.

use crate::channels::tests::{SimulatorBench, TRADE_TIME, bench};
use crate::channels::{ActionRates, ActionScript, ScriptedAction, SimulatorKind};
use std::time::Duration;
use tokio::time::sleep;

/// Code of a refusal, of a refusal for the channel's own reason, of "no such trade", and of
/// a payment that is paid, by channel of the shared wire.
const WORDS: [(SimulatorKind, [&str; 4]); 2] = [
    (SimulatorKind::NetsUnion, ["1001", "1005", "9001", "0000"]),
    (SimulatorKind::UnionPay, ["11", "15", "34", "00S"]),
];

async fn wait_until_paid(bench: &SimulatorBench, count: usize) {
    for _ in 0..1_000 {
        if bench.simulator.book().len() >= count {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("{} of {count} are paid", bench.simulator.book().len());
}

fn script_once(bench: &SimulatorBench, kind: SimulatorKind, to: &str, action: ScriptedAction) {
    let script = ActionScript {
        times: Some(1),
        ..ActionScript::new(to, action)
    };
    bench.simulator.add_script(kind, script).unwrap();
}

#[tokio::test]
async fn a_forgotten_refusal_is_no_trade_and_the_next_request_pays() {
    for (kind, [refused, not_here, no_trade, paid]) in WORDS {
        let bench = bench().await;
        for (serial, elsewhere, said) in [("F1", false, refused), ("F2", true, not_here)] {
            let action = ScriptedAction::RefuseAndForget {
                not_here: elsewhere,
            };
            script_once(&bench, kind, serial, action);
            assert_eq!(bench.pay(kind, serial, TRADE_TIME, serial, 1).await, said);
            assert_eq!(bench.query(kind, serial, TRADE_TIME).await, no_trade);
            bench.pay(kind, serial, TRADE_TIME, serial, 1).await;
        }
        wait_until_paid(&bench, 2).await;
        assert_eq!(bench.query(kind, "F1", TRADE_TIME).await, paid);
    }
}

#[tokio::test]
async fn a_late_request_is_paid_once_it_arrives() {
    for (kind, [_, _, no_trade, paid]) in WORDS {
        let bench = bench().await;
        let late = ScriptedAction::DeliverLate {
            ms: 400,
            hold_ms: 1,
        };
        script_once(&bench, kind, "late", late);
        assert_eq!(
            bench.pay(kind, "L1", TRADE_TIME, "late", 1).await,
            "HTTP 504"
        );
        assert_eq!(bench.query(kind, "L1", TRADE_TIME).await, no_trade);
        assert_eq!(bench.simulator.late_requests(), 1);
        wait_until_paid(&bench, 1).await;
        assert_eq!(bench.query(kind, "L1", TRADE_TIME).await, paid);
        assert_eq!(bench.simulator.late_requests(), 0);
    }
}

#[tokio::test]
async fn a_late_request_meets_what_the_channel_remembers() {
    let kind = SimulatorKind::NetsUnion;
    for (second, paid) in [
        (ScriptedAction::Normal, 1),
        // A refused trade stays refused ...
        (ScriptedAction::Fail, 0),
        // ... unless it was forgotten.
        (ScriptedAction::RefuseAndForget { not_here: false }, 1),
    ] {
        let bench = bench().await;
        script_once(&bench, kind, "acct", second.clone());
        let late = ScriptedAction::DeliverLate {
            ms: 200,
            hold_ms: 1,
        };
        script_once(&bench, kind, "acct", late);
        bench.pay(kind, "L1", TRADE_TIME, "acct", 1).await;
        bench.pay(kind, "L1", TRADE_TIME, "acct", 1).await;
        // Sent later, so it arrives behind the first.
        let mark = ScriptedAction::DeliverLate {
            ms: 300,
            hold_ms: 1,
        };
        script_once(&bench, kind, "mark", mark);
        bench.pay(kind, "L2", TRADE_TIME, "mark", 1).await;
        wait_until_paid(&bench, paid + 1).await;
        let book = bench.simulator.book();
        let times = book.iter().filter(|p| p.serial_no == "L1").count();
        assert_eq!(times, paid, "{second:?}");
    }
}

#[tokio::test]
async fn chances_mix_the_two_manners_with_all_others() {
    let bench = bench().await;
    let kind = SimulatorKind::NetsUnion;
    let rates = |rates: ActionRates| bench.simulator.set_rates(kind, rates);
    rates(ActionRates {
        fail: 1_000,
        forget_refusals: 1_000,
        ..ActionRates::default()
    })
    .unwrap();
    assert_eq!(bench.pay(kind, "M1", TRADE_TIME, "acct", 1).await, "1001");
    assert_eq!(bench.query(kind, "M1", TRADE_TIME).await, "9001");
    // A scripted refusal too.
    bench.script(kind, "shut", ScriptedAction::NotHere);
    assert_eq!(bench.pay(kind, "M2", TRADE_TIME, "shut", 1).await, "1005");
    assert_eq!(bench.query(kind, "M2", TRADE_TIME).await, "9001");
    rates(ActionRates {
        deliver_late: 1_000,
        hold_ms: Some(1),
        late_ms: Some(300),
        ..ActionRates::default()
    })
    .unwrap();
    assert_eq!(
        bench.pay(kind, "M1", TRADE_TIME, "acct", 1).await,
        "HTTP 504"
    );
    wait_until_paid(&bench, 1).await;
    let too_many = ActionRates {
        forget_refusals: 1_001,
        ..ActionRates::default()
    };
    assert!(rates(too_many).is_err());
}
