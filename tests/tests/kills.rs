//! kill -9 under load, of each program in turn; then everything must add up.

use anyhow::ensure;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, bad_day, options, seed};
use std::time::Duration;

const LOAD_TIME: Duration = Duration::from_secs(9);
const ORDERS_PER_S: u64 = 150;

#[tokio::test(flavor = "multi_thread")]
async fn core_killed_under_load_pays_nobody_twice() -> anyhow::Result<()> {
    let mut set = TestStage::up(sluice_drill::stage::StageOptions {
        sims: bad_day(seed()),
        ..options()
    })
    .await?;
    let traffic = Traffic::new("kills", 60);
    traffic.fund(&set.stage, 10_000).await?;
    let mut core = set.stage.core.take().expect("the stage has a core");
    let (report, killed) = tokio::join!(traffic.open(&set.stage, ORDERS_PER_S, LOAD_TIME), async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(2)).await;
            core.kill9()?;
            tokio::time::sleep(Duration::from_millis(200)).await;
            core.restart()?;
        }
        anyhow::Ok(())
    });
    let report = report?;
    killed?;
    ensure!(
        report.succeeded() > 200,
        "hardly any order was accepted: {:?}",
        report.statuses
    );
    core.wait_ready(
        &set.stage.ports.address(set.stage.ports.core_admin),
        Duration::from_secs(30),
    )
    .await?;
    // Everybody who got no answer asks again, as upstreams do: same key, same order.
    let again = traffic
        .open(
            &set.stage,
            400,
            Duration::from_secs(ORDERS_PER_S * LOAD_TIME.as_secs() / 400 + 1),
        )
        .await?;
    ensure!(
        again.succeeded() == again.answered(),
        "repeats were refused: {:?}",
        again.statuses
    );
    set.all_is_well().await?;
    let counts = sluice_drill::checks::counts(&set.stage.pool, &set.stage.schemas, &[]).await?;
    let asked = 400 * (ORDERS_PER_S * LOAD_TIME.as_secs() / 400 + 1);
    ensure!(
        counts.total() == asked,
        "{} orders for {asked} keys",
        counts.total()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sidecar_killed_under_load_loses_no_verdict_and_lets_nothing_through() -> anyhow::Result<()>
{
    let mut set = TestStage::up(options()).await?;
    let traffic = Traffic::new("kills", 60);
    traffic.fund(&set.stage, 10_000).await?;
    let mut sidecar = set.stage.sidecar.take().expect("the stage has a sidecar");
    let (report, killed) = tokio::join!(traffic.open(&set.stage, ORDERS_PER_S, LOAD_TIME), async {
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            sidecar.kill9()?;
            tokio::time::sleep(Duration::from_millis(300)).await;
            sidecar.restart()?;
        }
        anyhow::Ok(())
    });
    killed?;
    let report = report?;
    ensure!(
        report.succeeded() == ORDERS_PER_S * LOAD_TIME.as_secs(),
        "accepting depends on the sidecar: {:?}",
        report.statuses
    );
    set.all_is_well().await
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_killed_under_load_loses_no_answered_request() -> anyhow::Result<()> {
    let mut set = TestStage::up(options()).await?;
    let traffic = Traffic::new("kills", 60);
    traffic.fund(&set.stage, 10_000).await?;
    let mut server = set.stage.mariadb.take().expect("the stage has a server");
    let (report, killed) = tokio::join!(traffic.open(&set.stage, ORDERS_PER_S, LOAD_TIME), async {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_secs(3)).await;
            server.kill9()?;
            server.restart().await?;
        }
        anyhow::Ok(())
    });
    killed?;
    let accepted = report?.succeeded();
    ensure!(accepted > 200, "hardly any order was accepted");
    set.all_is_well().await?;
    let counts = sluice_drill::checks::counts(&set.stage.pool, &set.stage.schemas, &[]).await?;
    ensure!(
        counts.total() >= accepted,
        "{accepted} were answered, {} are there",
        counts.total()
    );
    set.stage.mariadb = Some(server);
    Ok(())
}
