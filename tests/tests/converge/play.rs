//! The load of the long run, and what happens to the cores meanwhile.

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_drill::load::request::LoadTarget;
use sluice_drill::setup::ChildProcess;
use sluice_drill::setup::ports::free_port;
use sluice_drill::stage::StagePorts;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, tail};
use std::time::{Duration, Instant};

/// Orders are submitted for this long, however many they are.
const SUBMIT_TIME: Duration = Duration::from_secs(25);
/// Repeats of all orders of a core take this long.
const REPEAT_TIME: Duration = Duration::from_secs(5);
const KILL_COUNT: u32 = 10;
const FREEZE_COUNT: u32 = 3;
/// Longer than a claim's send-by time and the other core's first look together.
const FREEZE_MS: std::ops::Range<u64> = 4_500..6_500;
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Upper bound of the wait after the last order was submitted.
const CONVERGENCE_TIMEOUT: Duration = Duration::from_secs(240);

/// Submits half of the orders to a core that is killed again and again, and half to one
/// that is frozen, at moments drawn from the seed; who got no answer asks again with the
/// same key.
pub(super) async fn play(set: &mut TestStage, orders: u64, seed: u64) -> anyhow::Result<()> {
    let ports = StagePorts {
        core: free_port()?,
        core_admin: free_port()?,
        ..set.stage.ports
    };
    let mut frozen = set.stage.spawn_core("core-2", ports).await?;
    let mut killed = set.stage.core.take().context("the stage has a core")?;
    let other = LoadTarget::new(&ports.address(ports.core));
    let (first, second) = traffics();
    let rate = orders / 2 / SUBMIT_TIME.as_secs();
    let (one, two, kills, freezes) = tokio::join!(
        first.open(&set.stage, rate, SUBMIT_TIME),
        second.open_at(&set.stage, other, rate, SUBMIT_TIME),
        kill(&mut killed, StdRng::seed_from_u64(seed)),
        freeze(&mut frozen, StdRng::seed_from_u64(seed ^ 1)),
    );
    kills.and(freezes)?;
    let statuses = (one?.statuses, two?.statuses);
    let admin = set.stage.ports.address(set.stage.ports.core_admin);
    killed.wait_ready(&admin, START_TIMEOUT).await?;
    let rate = orders / 2 / REPEAT_TIME.as_secs();
    for traffic in [first, second] {
        let again = traffic.open(&set.stage, rate, REPEAT_TIME).await?;
        ensure!(
            again.succeeded() == orders / 2,
            "repeats were refused: {:?} (first {statuses:?})",
            again.statuses
        );
    }
    wait_for_ends(set).await?;
    // Both lived to the end.
    ensure!(frozen.is_running(), "{}", frozen.tail());
    set.stage.core = Some(killed);
    Ok(())
}

/// A third of the orders wishes for no channel, so that one that declines is followed by
/// another; of the others the even ones are NetsUnion's, the odd ones UnionPay's.
pub(super) fn traffics() -> (Traffic, Traffic) {
    let first = Traffic {
        channels: vec!["netsunion", "unionpay", "netsunion", "unionpay", "", ""],
        ..Traffic::new("converge", 100)
    };
    let second = Traffic {
        payee: "other".into(),
        run: "converge-2".into(),
        ..first.clone()
    };
    (first, second)
}

async fn kill(core: &mut ChildProcess, mut rng: StdRng) -> anyhow::Result<()> {
    for _ in 0..KILL_COUNT {
        tokio::time::sleep(Duration::from_millis(rng.random_range(1_200..3_200))).await;
        core.kill9()?;
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..400))).await;
        core.restart()?;
    }
    Ok(())
}

async fn freeze(core: &mut ChildProcess, mut rng: StdRng) -> anyhow::Result<()> {
    for _ in 0..FREEZE_COUNT {
        tokio::time::sleep(Duration::from_millis(rng.random_range(800..2_500))).await;
        core.freeze()?;
        tokio::time::sleep(Duration::from_millis(rng.random_range(FREEZE_MS))).await;
        core.thaw()?;
    }
    Ok(())
}

/// Waits until nothing is on its way: orders, requests, callbacks. A manual order is asked
/// for on, so it ends too.
async fn wait_for_ends(set: &TestStage) -> anyhow::Result<()> {
    let begun = Instant::now();
    let sql = format!(
        "SELECT COUNT(*) FROM {}.orders WHERE state NOT IN ('success','failed','returned')",
        set.stage.schemas.orders
    );
    loop {
        let mut conn = set.stage.pool.get_conn().await?;
        let left: u64 = conn.query_first(&sql).await?.unwrap_or(0);
        drop(conn);
        let sims = &set.stage.sims;
        // Contradictions are among what is still on its way.
        if left == 0 && sims.callbacks().0 == 0 && sims.late_requests() == 0 {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < CONVERGENCE_TIMEOUT,
            "{left} orders have not ended: {}",
            tail(&set.stage.dir.join("core.log"))
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
