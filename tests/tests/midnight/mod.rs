//! Fixed identity: an order claimed before midnight keeps its serial number and
//! trade time whatever happens after it. Channels forget serial numbers overnight,
//! so the same number with the new date would be paid again: the control shows it.

mod hazard;
mod identity;

use crate::midnight::identity::scripts;
use anyhow::Context;
use serde_json::json;
use sluice_drill::channels::{ActionScript, ScriptedAction, SimulatorKind};
use sluice_drill::stage::DrillStage;
use sluice_drill::stage::client::UpstreamSubmit;

/// From the core's start to midnight: enough for the start and the claims.
const START_TO_MIDNIGHT_S: i64 = 12;

const MAX_ATTEMPTS: usize = 4;

/// An order that may go through any channel: the first takes it, and after midnight
/// declines it for itself alone.
async fn submit_switched(
    stage: &DrillStage,
    run: usize,
) -> anyhow::Result<(SimulatorKind, String)> {
    let ms = (START_TO_MIDNIGHT_S as u64 + 2) * 1_000;
    stage.sims.add_script(
        SimulatorKind::NetsUnion,
        ActionScript::new(&format!("n{run}.s."), ScriptedAction::NotHereLater { ms }),
    )?;
    let body = json!({ "fromAccountId": "A00009", "toAccountId": format!("n{run}.s.payee"), "amount": "3.00",
                       "currency": "CNY", "transactionId": format!("night-{run}-s") });
    let (status, answer) = stage.client.post("/withdraw/submit", &body, &[]).await?;
    let id = answer["data"]["withdrawOrderId"]
        .as_str()
        .with_context(|| format!("{status} {answer}"))?;
    Ok((SimulatorKind::UnionPay, id.to_owned()))
}

async fn submit(stage: &DrillStage, run: usize) -> anyhow::Result<Vec<(SimulatorKind, String)>> {
    let mut orders = vec![submit_switched(stage, run).await?];
    for (n, (kind, action)) in scripts().into_iter().enumerate() {
        let mut script = ActionScript::new(&format!("n{run}.{n}."), action);
        script.times = Some(1);
        stage.sims.add_script(kind, script)?;
        let ask = UpstreamSubmit {
            from: format!("A{n:05}"),
            to: format!("n{run}.{n}.payee"),
            amount: "3.00".into(),
            transaction_id: format!("night-{run}-{n}"),
            biz_no: format!("night-{run}-{n}"),
            channel: kind.to_string(),
        };
        orders.push((kind, stage.client.submit(&ask).await?));
    }
    Ok(orders)
}
