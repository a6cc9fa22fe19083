//! Every manner of a channel ends clearly.

use anyhow::ensure;
use serde_json::Value;
use sluice_contract::ids::serial_no;
use sluice_drill::channels::{ActionScript, ScriptedAction, SimulatorKind};
use sluice_drill::stage::client::UpstreamSubmit;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};

/// An action of a channel, the order's end, and whether the book holds a payment.
type MannerEnd = (ScriptedAction, &'static str, bool);

fn scripts() -> Vec<(SimulatorKind, MannerEnd)> {
    let of = |kind: SimulatorKind| {
        let ends = match kind {
            SimulatorKind::NetsUnion => netsunion(),
            SimulatorKind::UnionPay => unionpay(),
            SimulatorKind::Psp => psp(),
        };
        ends.into_iter().map(move |end| (kind, end))
    };
    SimulatorKind::ALL.into_iter().flat_map(of).collect()
}

fn netsunion() -> Vec<MannerEnd> {
    use ScriptedAction::*;
    let unknown = |pays| UnknownCode {
        code: "7777".into(),
        pays,
    };
    vec![
        (Normal, "success", true),
        (Fail, "failed", false),
        (TimeoutAfterPaying { hold_ms: 1_400 }, "success", true),
        (TimeoutWithoutPaying { hold_ms: 1_400 }, "success", true),
        (unknown(true), "success", true),
        (unknown(false), "success", true),
        (Http500AfterPaying, "success", true),
        (JunkBody { pays: true }, "success", true),
        (InProcessThenNotify { ms: 150 }, "success", true),
    ]
}

fn unionpay() -> Vec<MannerEnd> {
    use ScriptedAction::*;
    vec![
        (Normal, "success", true),
        (Fail, "failed", false),
        (FailLater { ms: 150 }, "failed", false),
        (DuplicateCallback { times: 3 }, "success", true),
        (LateCallback { ms: 2_500 }, "success", true),
        (NoCallback, "success", true),
        (CallbackBeforeReply, "success", true),
        (TimeoutAfterPaying { hold_ms: 1_400 }, "success", true),
        (ReturnAfterSuccess { ms: 300 }, "returned", true),
    ]
}

fn psp() -> Vec<MannerEnd> {
    use ScriptedAction::*;
    let unknown = |pays| UnknownCode {
        code: "7777".into(),
        pays,
    };
    vec![
        (Normal, "success", true),
        (Fail, "failed", false),
        (FailLater { ms: 150 }, "failed", false),
        (DuplicateCallback { times: 3 }, "success", true),
        (LateCallback { ms: 2_500 }, "success", true),
        (NoCallback, "success", true),
        (CallbackBeforeReply, "success", true),
        (TimeoutAfterPaying { hold_ms: 1_400 }, "success", true),
        (TimeoutWithoutPaying { hold_ms: 1_400 }, "success", true),
        (unknown(true), "success", true),
        (unknown(false), "success", true),
        (Http500AfterPaying, "success", true),
        (JunkBody { pays: true }, "success", true),
        (JunkBody { pays: false }, "success", true),
        (ReturnAfterSuccess { ms: 300 }, "returned", true),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_manner_of_a_channel_ends_clearly() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("manners", 40).fund(&set.stage, 1_000).await?;
    let mut orders = Vec::new();
    for (n, (kind, (action, end, paid))) in scripts().into_iter().enumerate() {
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
