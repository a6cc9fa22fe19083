//! Measures the fence as a core lives it: a token is committed, and the time
//! runs until the sidecar's line says that it has passed.

use crate::stage::DrillStage;
use hdrhistogram::Histogram;
use sluice_contract::supervisor::Supervisor;
use sluice_core::config;
use sluice_core::guard::fence::FenceClient;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Microseconds from before a token's commit to its passing, one token every
/// `pause`, until `stop`.
pub async fn fence(
    stage: &DrillStage,
    pause: Duration,
    stop: CancellationToken,
) -> anyhow::Result<Histogram<u64>> {
    let settings = config::FenceClientConfig {
        enabled: true,
        sidecar_url: stage.ports.url(stage.ports.sidecar),
        ..config::FenceClientConfig::default()
    };
    let parts = Supervisor::default();
    let fence = FenceClient::start(
        &parts,
        &settings,
        "probe",
        &stage.schemas,
        (Some(stage.token.clone()), stage.key.clone()),
    )?;
    let mut conn = stage.pool.get_conn().await?;
    let mut times = Histogram::new(3)?;
    // The first token also waits for the connection: not counted.
    let token = fence.raise(&mut conn).await?;
    tokio::time::timeout(Duration::from_secs(20), fence.wait(token)).await?;
    while !stop.is_cancelled() {
        let begun = Instant::now();
        let token = fence.raise(&mut conn).await?;
        tokio::select! {
            _ = fence.wait(token) => times.record(u64::try_from(begun.elapsed().as_micros())?)?,
            () = stop.cancelled() => {}
        }
        tokio::time::sleep(pause).await;
    }
    Ok(times)
}
