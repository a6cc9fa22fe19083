//! Keys that ledger entries were sealed with: one of before that the sidecar names holds for
//! good; one that was forgotten is told before anybody is accused for it.

use crate::audits::{AUDIT_TIMEOUT, said};
use anyhow::{Context, ensure};
use sluice_drill::setup::secrets::random_hex;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options, until};
use std::time::Duration;

const RETIRED: &str = "provenance_key_of_old";
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
const READY_TIMEOUT: Duration = Duration::from_secs(40);

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_key_holds_and_a_forgotten_one_is_told_first() -> anyhow::Result<()> {
    let mut options = options();
    let retired = format!("\nprovenance_keys_retired = [\"{RETIRED}\"]\n");
    options.core_extra.push_str(&retired);
    options.sidecar_extra.push_str(&retired);
    let mut set = TestStage::prepare(options).await?;
    let secrets = set.stage.dir.join("secrets");
    std::fs::write(secrets.join(RETIRED), random_hex())?;
    set.stage.start_core().await?;
    Traffic::new("old", 3).fund(&set.stage, 1_000).await?;
    ensure!(set.stage.drain(0, Duration::from_secs(30)).await? == 0);

    // The key is rolled; then the first sidecar comes, and looks at everything at rest.
    let mut core = set.stage.core.take().context("a core")?;
    core.terminate(STOP_TIMEOUT).await?;
    std::fs::copy(secrets.join("provenance_key"), secrets.join(RETIRED))?;
    std::fs::write(secrets.join("provenance_key"), random_hex())?;
    let ports = set.stage.ports;
    core.restart()?;
    core.wait_ready(&ports.address(ports.core_admin), READY_TIMEOUT)
        .await?;
    set.stage.core = Some(core);
    set.stage.start_sidecar().await?;
    set.stage.wait_for_fence().await?;
    let client = set.stage.client.clone();
    let run = client.audit_now(AUDIT_TIMEOUT).await?;
    ensure!(run["openFindings"] == 0, "{:?}", said(&set.stage).await?);
    let note = client.audit().await?;
    ensure!(note["unknownSealKeys"] == serde_json::json!([]), "{note}");

    // The wrong file stands there after the next start.
    let mut sidecar = set.stage.sidecar.take().context("a sidecar")?;
    sidecar.terminate(STOP_TIMEOUT).await?;
    std::fs::write(secrets.join(RETIRED), random_hex())?;
    sidecar.restart()?;
    sidecar
        .wait_ready(&ports.address(ports.sidecar), READY_TIMEOUT)
        .await?;
    set.stage.sidecar = Some(sidecar);
    until("the key is named before any run", async || {
        let note = client.audit().await?;
        Ok(note["unknownSealKeys"]
            .as_array()
            .is_some_and(|keys| keys.len() == 1))
    })
    .await?;
    ensure!(set.verdicts().await?.is_empty(), "nobody is accused yet");
    let run = client.audit_now(AUDIT_TIMEOUT).await?;
    ensure!(run["openFindings"] != 0, "{run}");
    Ok(())
}
