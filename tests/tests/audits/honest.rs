//! Honest load is never suspected, wherever the books live.

use crate::audits::{AUDIT_TIMEOUT, raise, said};
use anyhow::ensure;
use sluice_drill::stage::merchants::MerchantTraffic;
use sluice_drill::stage::traffic::Traffic;
use sluice_drill::stage::{DrillStage, StageOptions};
use sluice_tests::{TestStage, options};
use std::time::Duration;

/// Runs one after the other while `load` lasts; how many there were.
async fn beside<T>(
    stage: &DrillStage,
    load: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<u64> {
    let mut load = std::pin::pin!(load);
    let mut runs = 0;
    loop {
        tokio::select! {
            done = &mut load => return done.map(|_| runs),
            run = stage.client.audit_now(AUDIT_TIMEOUT) => {
                run?;
                runs += 1;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn honest_load_is_never_suspected() -> anyhow::Result<()> {
    let extra = "audit.max_rows_per_second = 1000000".to_owned();
    let set = TestStage::up(StageOptions {
        sidecar_extra: extra,
        ..options()
    })
    .await?;
    let (traffic, merchants) = (
        Traffic::new("honest", 60),
        MerchantTraffic::new("honest", 10),
    );
    traffic.fund(&set.stage, 10_000).await?;
    let (rate, time) = (200, Duration::from_secs(5));
    let load = async {
        tokio::try_join!(
            traffic.open(&set.stage, rate, time),
            merchants.open(&set.stage, 60, time)
        )
    };
    let runs = beside(&set.stage, load).await?;
    ensure!(runs >= 5, "only {runs} runs beside the load");
    set.all_is_well().await?;
    let suspects = set
        .stage
        .sidecar_metric("sluice_sidecar_audit_suspects_total")
        .await?;
    ensure!(
        suspects == 0,
        "on one server a snapshot is one commit, yet {suspects} accounts were suspects"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn split_books_are_compared_while_they_move() -> anyhow::Result<()> {
    let set = TestStage::up(StageOptions {
        split_books: true,
        ..options()
    })
    .await?;
    let traffic = Traffic::new("split_books", 30);
    traffic.fund(&set.stage, 10_000).await?;
    let runs = beside(
        &set.stage,
        traffic.open(&set.stage, 80, Duration::from_secs(5)),
    )
    .await?;
    ensure!(runs >= 1, "no run beside the load");
    set.all_is_well().await?;
    raise(&set.stage, "A00011", 2).await?;
    let run = set.stage.client.audit_now(AUDIT_TIMEOUT).await?;
    let (verdicts, open) = said(&set.stage).await?;
    ensure!(
        verdicts == ["books_at_rest A00011 A00011/CNY: available+2.0000"],
        "{verdicts:?} {run}"
    );
    ensure!(open == ["A00011"], "{open:?}");
    Ok(())
}
