//! A core that is stalled between its claim and the call sends nothing once another may
//! have taken the order over.

use crate::late::stalling_proxy::{AnswerFlow, StallingProxy};
use crate::late::{script, submit, times_paid, wait_for};
use anyhow::{Context, ensure};
use sluice_core::schema::DatabaseUrls;
use sluice_drill::channels::{ScriptedAction, SimulatorKind};
use sluice_drill::setup::ports::free_port;
use sluice_drill::stage::StagePorts;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options, tail};
use std::time::Duration;

/// Words of a core that sends nothing.
const NOT_SENT: &str = "its send-by time has passed";

#[tokio::test(flavor = "multi_thread")]
async fn a_core_that_hears_of_its_claim_too_late_sends_nothing() -> anyhow::Result<()> {
    let mut set = TestStage::up(options()).await?;
    Traffic::new("stalled", 20).fund(&set.stage, 1_000).await?;
    let mut first = set.stage.core.take().context("the stage has a core")?;
    first.kill9()?;
    // The first core hears its database through the proxy.
    let direct = set.stage.urls.core.clone();
    let server = address(&direct.orders)?;
    let proxy = StallingProxy::start(server.clone()).await?;
    let url = direct.orders.replace(&server, &proxy.address.to_string());
    set.stage.urls.core = DatabaseUrls {
        orders: url.clone(),
        balance: url.clone(),
        ledger: url,
    };
    let stalled = set.stage.spawn_core("stalled", set.stage.ports).await?;
    set.stage.wait_for_fence().await?;
    set.stage.urls.core = direct;
    proxy.set(AnswerFlow::Delayed);

    // Whoever sends first is refused, and forgotten: a later request would be a new payment.
    let refused = ScriptedAction::RefuseAndForget { not_here: true };
    script(&set, SimulatorKind::NetsUnion, "stall", &[refused])?;
    // One order: while others were submitted it would be sent.
    let order = submit(&set, "A00001", "stall.payee").await?;
    // Claimed in the database, and the core has not heard of it.
    wait_for(&set, &order, "state", "dispatching").await?;
    proxy.set(AnswerFlow::Stalled);
    let ports = StagePorts {
        core: free_port()?,
        core_admin: free_port()?,
        ..set.stage.ports
    };
    let _second = set.stage.spawn_core("second", ports).await?;
    // The second asks, hears "no such trade", sends again and is refused. Now the first
    // wakes up with its claims in hand.
    wait_for(&set, &order, "sends", "2").await?;
    proxy.set(AnswerFlow::Free);
    // UnionPay pays, once NetsUnion is quiet.
    wait_for(&set, &order, "state", "success").await?;
    let log = stalled.log().to_owned();
    let woke = async {
        while !std::fs::read_to_string(&log)?.contains(NOT_SENT) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    let within = Duration::from_secs(40);
    let woke = tokio::time::timeout(within, woke).await;
    // The books first: a core that sends after all pays twice here.
    let times = times_paid(&set, &order);
    ensure!(times == 1, "{order} was paid {times} times");
    woke.with_context(|| format!("it never came to its claims: {}", tail(stalled.log())))??;
    drop(stalled);
    Ok(())
}

/// `host:port` of a database URL.
fn address(url: &str) -> anyhow::Result<String> {
    let after = url.rsplit_once('@').map_or(url, |(_, rest)| rest);
    let after = after.rsplit_once("//").map_or(after, |(_, rest)| rest);
    let host = after.split(['/', '?']).next();
    Ok(host.context("a URL names its host")?.to_owned())
}
