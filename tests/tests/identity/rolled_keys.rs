//! The provenance key is replaced under load, twice: nothing trips, nothing has to be
//! drained, and an order of the first key's time is paid in the end.

use anyhow::{Context, ensure};
use serde_json::json;
use sluice_drill::setup::ChildProcess;
use sluice_drill::setup::secrets::random_hex;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::path::PathBuf;
use std::time::Duration;

const BREAKER: &str = "cash_out/account/A00001";
const RETIRED: &str = "provenance_key_of_old";
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
const READY_TIMEOUT: Duration = Duration::from_secs(40);

/// Programs of a stage, restarted one at a time as an operator does.
pub(super) struct RolledStage {
    pub(super) set: TestStage,
    pub(super) secrets: PathBuf,
}

impl RolledStage {
    async fn up() -> anyhow::Result<Self> {
        let mut options = options();
        options.split_books = true;
        options.core_extra = format!(
            "{}\nprovenance_keys_retired = [\"{RETIRED}\"]\n",
            options.core_extra
        );
        let mut set = TestStage::prepare(options).await?;
        let secrets = set.stage.dir.join("secrets");
        std::fs::write(secrets.join(RETIRED), random_hex())?;
        set.stage.start_core().await?;
        set.stage.start_sidecar().await?;
        set.stage.wait_for_fence().await?;
        Ok(RolledStage { set, secrets })
    }

    fn read(&self, name: &str) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.secrets.join(name))?)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        Ok(std::fs::write(self.secrets.join(name), text)?)
    }

    pub(super) async fn restart_core(&mut self) -> anyhow::Result<()> {
        let ports = self.set.stage.ports;
        let core = self.set.stage.core.as_mut().context("a core")?;
        restart(core, &ports.address(ports.core_admin)).await
    }

    pub(super) async fn restart_sidecar(&mut self) -> anyhow::Result<()> {
        let ports = self.set.stage.ports;
        let sidecar = self.set.stage.sidecar.as_mut().context("a sidecar")?;
        restart(sidecar, &ports.address(ports.sidecar)).await
    }

    /// A new key becomes the one that signs, and the one before stays beside it.
    async fn roll(&mut self) -> anyhow::Result<()> {
        let (old, new) = (self.read("provenance_key")?, random_hex());
        self.write("provenance_key_next", &new)?;
        self.restart_sidecar().await?;
        self.restart_core().await?;
        self.write("provenance_key", &new)?;
        self.write("provenance_key_next", &old)?;
        self.restart_core().await?;
        self.restart_sidecar().await
    }

    /// The key that was replaced vouches for orders of its time only.
    async fn retire(&mut self) -> anyhow::Result<()> {
        let old = self.read("provenance_key_next")?;
        self.write(RETIRED, &old)?;
        std::fs::remove_file(self.secrets.join("provenance_key_next"))?;
        // The sidecar still reads transactions that it signed, and has it until later.
        self.restart_core().await
    }
}

async fn restart(program: &mut ChildProcess, address: &str) -> anyhow::Result<()> {
    program.terminate(STOP_TIMEOUT).await?;
    program.restart()?;
    program.wait_ready(address, READY_TIMEOUT).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_rolled_under_load_trips_nothing() -> anyhow::Result<()> {
    let mut rolled = RolledStage::up().await?;
    let traffic = Traffic::new("roll", 20);
    traffic.fund(&rolled.set.stage, 1_000).await?;
    let client = rolled.set.stage.client.clone();
    client.trip(BREAKER, "ann", "a test").await?;
    let held = json!({ "fromAccountId": "A00001", "toAccountId": "payee", "amount": "1.00", "bizNo": "held" });
    let (status, answer) = client
        .post("/withdraw", &held, &[("idempotent-key", "held")])
        .await?;
    ensure!(status == 202, "{status} {answer}");
    let held = answer["data"]["withdrawOrderId"]
        .as_str()
        .context("an id")?;

    // The load doesn't stop for anybody; what gets no answer is asked again below.
    let (rate, time) = (20, Duration::from_secs(25));
    traffic
        .tell(&rolled.set.stage, rate * time.as_secs() + 1)
        .await?;
    let target = rolled.set.stage.target();
    let load = {
        let (traffic, address) = (traffic.clone(), target.address.clone());
        let load = sluice_drill::load::OpenLoad {
            address,
            rate,
            duration: time,
            connections: 64,
            deadline: sluice_drill::stage::traffic::REQUEST_TIMEOUT,
        };
        let write = move |n, out: &mut Vec<u8>| traffic.request(&target, n, out);
        sluice_drill::load::open(load, write, |_, _, _: &[u8]| {})
    };
    let (load, rolls) = tokio::join!(load, async {
        rolled.roll().await?;
        rolled.retire().await
    });
    rolls?;
    ensure!(
        load?.succeeded() > 50,
        "hardly anything was asked meanwhile"
    );
    let stage = &rolled.set.stage;
    let again = traffic.open(stage, rate, time).await?;
    ensure!(
        again.succeeded() == again.answered(),
        "{:?}",
        again.statuses
    );
    let found = rolled.set.verdicts().await?;
    ensure!(found.is_empty(), "{found:?}");
    // Its breaker stayed open all the while, sealed anew by each leader.
    ensure!(client.order(held).await?["status"] != "success");
    client.reset(BREAKER, "ann", "over").await?;
    stage.wait_for_status(held, "success").await?;
    rolled.set.all_is_well().await
}
