//! A sidecar killed and resumed loses and doubles no verdict.

use crate::faults::{by_hand, verdicts_of};
use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_resumed_by_gtid_no_verdict_is_lost_or_doubled() -> anyhow::Result<()> {
    let mut set = TestStage::up(options()).await?;
    let accounts = 60;
    Traffic::new("gtid", accounts)
        .fund(&set.stage, 1_000)
        .await?;
    let mut sidecar = set.stage.sidecar.take().expect("the stage has a sidecar");
    // Faults before, while it is dead, and while it comes back.
    for n in 0..accounts as u32 {
        match n {
            10 | 30 | 45 => sidecar.kill9()?,
            20 | 35 | 46 => sidecar.restart()?,
            _ => {}
        }
        by_hand(&set, n).await?;
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let begun = Instant::now();
    let mut found = Vec::new();
    while found.len() < accounts as usize && begun.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        found = verdicts_of(&set, "provenance").await?;
    }
    ensure!(
        found.len() == accounts as usize,
        "{} of {accounts} faults were found",
        found.len()
    );
    // Once more from the start of what it remembers: the same verdicts, once each.
    sidecar.kill9()?;
    sidecar.restart()?;
    set.everything_is_evaluated().await?;
    let again = verdicts_of(&set, "provenance").await?;
    ensure!(
        again == found && again.iter().all(|(_, times)| *times == 1),
        "doubled: {again:?}"
    );
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = format!(
        "SELECT COUNT(*),MAX(version) FROM {}.breaker_transition",
        set.stage.schemas.guard
    );
    let moves: Option<(u64, u64)> = conn.query_first(sql).await?;
    // A manual change stops the account at all three points.
    ensure!(
        moves == Some((3 * accounts, 1)),
        "each breaker moved once: {moves:?}"
    );
    Ok(())
}
