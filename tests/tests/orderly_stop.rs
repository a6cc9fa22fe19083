//! SIGTERM ends a core in order: calls under way have their outcomes written, events are
//! published, the relay's lease is given back, and the program says success.

use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::Duration;

const LOAD_TIME: Duration = Duration::from_secs(6);
const ORDERS_PER_S: u64 = 150;

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_leaves_nothing_half_done() -> anyhow::Result<()> {
    let mut set = TestStage::up(options()).await?;
    let traffic = Traffic::new("stop", 40);
    traffic.fund(&set.stage, 10_000).await?;
    let mut core = set.stage.core.take().expect("the stage has a core");
    let (report, stopped) =
        tokio::join!(traffic.open(&set.stage, ORDERS_PER_S, LOAD_TIME), async {
            for _ in 0..2 {
                tokio::time::sleep(Duration::from_secs(2)).await;
                let status = core.terminate(Duration::from_secs(15)).await?;
                ensure!(status.success(), "the core ended with {status}");
                nothing_is_half_done(&set).await?;
                core.restart()?;
            }
            anyhow::Ok(())
        });
    stopped?;
    ensure!(report?.succeeded() > 100, "hardly any order was accepted");
    let admin = set.stage.ports.address(set.stage.ports.core_admin);
    core.wait_ready(&admin, Duration::from_secs(30)).await?;
    set.stage.core = Some(core);
    set.all_is_well().await
}

/// Checks what the database holds while no core runs.
async fn nothing_is_half_done(set: &TestStage) -> anyhow::Result<()> {
    let (orders, guard) = (&set.stage.schemas.orders, &set.stage.schemas.guard);
    for (what, sql) in [
        (
            "sent orders without an outcome",
            format!("SELECT COUNT(*) FROM {orders}.orders WHERE state='dispatching'"),
        ),
        (
            "unpublished transactions",
            format!("SELECT COUNT(*) FROM {orders}.outbox"),
        ),
        (
            "leases that are still held",
            format!(
                "SELECT COUNT(*) FROM {guard}.lease WHERE name='relay' AND expires_us>UNIX_TIMESTAMP(NOW(6))*1000000"
            ),
        ),
    ] {
        let found: Option<i64> = set.stage.pool.get_conn().await?.query_first(sql).await?;
        ensure!(found == Some(0), "{found:?} {what}");
    }
    Ok(())
}
