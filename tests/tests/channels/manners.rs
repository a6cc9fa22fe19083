//! Every manner of a channel ends clearly.

use anyhow::ensure;
use serde_json::Value;
use sluice_contract::ids::serial_no;
use sluice_drill::channels::{ActionScript, ScriptedAction, SimulatorKind};
use sluice_drill::stage::client::UpstreamSubmit;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};

/// Channel, what it does, the order's end, and whether the book holds a payment.
fn scripts() -> Vec<(SimulatorKind, ScriptedAction, &'static str, bool)> {
    use sluice_drill::channels::ScriptedAction::*;
    vec![
        (SimulatorKind::NetsUnion, Normal, "success", true),
        (SimulatorKind::NetsUnion, Fail, "failed", false),
        (
            SimulatorKind::NetsUnion,
            TimeoutAfterPaying { hold_ms: 1_400 },
            "success",
            true,
        ),
        (
            SimulatorKind::NetsUnion,
            TimeoutWithoutPaying { hold_ms: 1_400 },
            "success",
            true,
        ),
        (
            SimulatorKind::NetsUnion,
            UnknownCode {
                code: "7777".into(),
                pays: true,
            },
            "success",
            true,
        ),
        (
            SimulatorKind::NetsUnion,
            UnknownCode {
                code: "7777".into(),
                pays: false,
            },
            "success",
            true,
        ),
        (
            SimulatorKind::NetsUnion,
            Http500AfterPaying,
            "success",
            true,
        ),
        (
            SimulatorKind::NetsUnion,
            JunkBody { pays: true },
            "success",
            true,
        ),
        (
            SimulatorKind::NetsUnion,
            InProcessThenNotify { ms: 150 },
            "success",
            true,
        ),
        (SimulatorKind::UnionPay, Normal, "success", true),
        (SimulatorKind::UnionPay, Fail, "failed", false),
        (
            SimulatorKind::UnionPay,
            FailLater { ms: 150 },
            "failed",
            false,
        ),
        (
            SimulatorKind::UnionPay,
            DuplicateCallback { times: 3 },
            "success",
            true,
        ),
        (
            SimulatorKind::UnionPay,
            LateCallback { ms: 2_500 },
            "success",
            true,
        ),
        (SimulatorKind::UnionPay, NoCallback, "success", true),
        (
            SimulatorKind::UnionPay,
            CallbackBeforeReply,
            "success",
            true,
        ),
        (
            SimulatorKind::UnionPay,
            TimeoutAfterPaying { hold_ms: 1_400 },
            "success",
            true,
        ),
        (
            SimulatorKind::UnionPay,
            ReturnAfterSuccess { ms: 300 },
            "returned",
            true,
        ),
        (SimulatorKind::Psp, Normal, "success", true),
        (SimulatorKind::Psp, Fail, "failed", false),
        (SimulatorKind::Psp, FailLater { ms: 150 }, "failed", false),
        (
            SimulatorKind::Psp,
            DuplicateCallback { times: 3 },
            "success",
            true,
        ),
        (
            SimulatorKind::Psp,
            LateCallback { ms: 2_500 },
            "success",
            true,
        ),
        (SimulatorKind::Psp, NoCallback, "success", true),
        (SimulatorKind::Psp, CallbackBeforeReply, "success", true),
        (
            SimulatorKind::Psp,
            TimeoutAfterPaying { hold_ms: 1_400 },
            "success",
            true,
        ),
        (
            SimulatorKind::Psp,
            TimeoutWithoutPaying { hold_ms: 1_400 },
            "success",
            true,
        ),
        (
            SimulatorKind::Psp,
            UnknownCode {
                code: "7777".into(),
                pays: true,
            },
            "success",
            true,
        ),
        (
            SimulatorKind::Psp,
            UnknownCode {
                code: "7777".into(),
                pays: false,
            },
            "success",
            true,
        ),
        (SimulatorKind::Psp, Http500AfterPaying, "success", true),
        (SimulatorKind::Psp, JunkBody { pays: true }, "success", true),
        (
            SimulatorKind::Psp,
            JunkBody { pays: false },
            "success",
            true,
        ),
        (
            SimulatorKind::Psp,
            ReturnAfterSuccess { ms: 300 },
            "returned",
            true,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_manner_of_a_channel_ends_clearly() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("manners", 40).fund(&set.stage, 1_000).await?;
    let mut orders = Vec::new();
    for (n, (kind, action, end, paid)) in scripts().into_iter().enumerate() {
        // A number ends with a dot, so that 1 is no prefix of 10. Tried once: the
        // second request for an unpaid trade goes as usual.
        let mut script = ActionScript::new(&format!("m{n}."), action.clone());
        script.times = Some(1);
        set.stage.sims.add_script(kind, script)?;
        let ask = UpstreamSubmit {
            from: format!("A{n:05}"),
            to: format!("m{n}.payee"),
            amount: "3.00".into(),
            transaction_id: format!("manner-{n}"),
            biz_no: format!("manner-{n}"),
            channel: kind.to_string(),
        };
        orders.push((set.stage.client.submit(&ask).await?, action, end, paid));
    }
    for (order, action, end, paid) in &orders {
        set.stage.wait_for_status(order, end).await?;
        let times = set
            .stage
            .book()
            .iter()
            .filter(|p| p.serial_no == serial_no(order))
            .count();
        ensure!(
            times == usize::from(*paid),
            "{action:?}: paid {times} times"
        );
        let shown: Value = set.stage.client.order(order).await?;
        ensure!(shown["serialNo"] == serial_no(order).as_str(), "{shown}");
        ensure!(
            set.stage.client.cancel(order).await.is_err() || *end == "failed",
            "cancelled after its end"
        );
    }
    set.all_is_well().await
}
