//! Cores killed at will pay each order once.

use anyhow::ensure;
use sluice_drill::setup::ports::free_port;
use sluice_drill::stage::traffic::Traffic;
use sluice_drill::stage::{StageOptions, StagePorts};
use sluice_tests::{TestStage, bad_day, options, seed};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn three_cores_killed_at_will_pay_each_order_once() -> anyhow::Result<()> {
    let set = TestStage::up(StageOptions {
        sims: bad_day(seed()),
        ..options()
    })
    .await?;
    let channels = vec!["netsunion", "unionpay", "psp"];
    let traffic = Traffic {
        channels,
        ..Traffic::new("three", 60)
    };
    traffic.fund(&set.stage, 10_000).await?;
    let mut others = Vec::new();
    for n in 2..=3 {
        let ports = StagePorts {
            core: free_port()?,
            core_admin: free_port()?,
            ..set.stage.ports
        };
        others.push(set.stage.spawn_core(&format!("core-{n}"), ports).await?);
    }
    let (report, killed) = tokio::join!(
        traffic.open(&set.stage, 150, Duration::from_secs(8)),
        async {
            for n in 0..4 {
                tokio::time::sleep(Duration::from_millis(1_700)).await;
                let core = &mut others[n % 2];
                core.kill9()?;
                core.restart()?;
            }
            anyhow::Ok(())
        }
    );
    killed?;
    ensure!(
        report?.succeeded() == 150 * 8,
        "requests to the living core were refused"
    );
    set.all_is_well().await
}
