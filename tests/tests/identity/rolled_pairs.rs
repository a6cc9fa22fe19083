//! The key pair of transactions is introduced and replaced under load: nothing trips. A core
//! whose key no sidecar was told of is a stranger.

use crate::identity::rolled_keys::RolledStage;
use anyhow::ensure;
use sluice_contract::transaction_key::{
    PRIVATE_KEY_SECRET, PUBLIC_KEYS_SECRET, TransactionKeyPair,
};
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options, until};
use std::time::Duration;

const AUDIT_TIMEOUT: Duration = Duration::from_secs(60);

impl RolledStage {
    /// As before there were pairs; the settings say that MACs count beside them.
    async fn without_pair() -> anyhow::Result<Self> {
        let mut options = options();
        options.sidecar_extra = "accept_transaction_macs = true".into();
        let mut set = TestStage::prepare(options).await?;
        let secrets = set.stage.dir.join("secrets");
        for name in [PRIVATE_KEY_SECRET, PUBLIC_KEYS_SECRET] {
            std::fs::remove_file(secrets.join(name))?;
        }
        set.stage.start_core().await?;
        set.stage.start_sidecar().await?;
        set.stage.wait_for_fence().await?;
        Ok(RolledStage { set, secrets })
    }

    /// Makes a pair, and tells the sidecar of its public half beside those of `known`; the
    /// core signs with it from now on.
    async fn roll_pair(&mut self, name: &str, known: &mut String) -> anyhow::Result<()> {
        let private = self.set.path().join(name);
        let pair = TransactionKeyPair::create(&private)?;
        known.push_str(&format!("{}\n", pair.public().line()));
        self.write(PUBLIC_KEYS_SECRET, known)?;
        self.restart_sidecar().await?;
        self.sign_with(name).await
    }

    /// Takes `accept_transaction_macs` out of the settings, and says that it stays out.
    fn require_pairs(&self) -> anyhow::Result<()> {
        let path = self.set.stage.dir.join("sidecar.toml");
        let text = std::fs::read_to_string(&path)?;
        let (before, after) = (
            "accept_transaction_macs = true",
            "require_transaction_pairs = true",
        );
        ensure!(text.contains(before), "{text}");
        Ok(std::fs::write(&path, text.replace(before, after))?)
    }

    async fn sign_with(&mut self, name: &str) -> anyhow::Result<()> {
        let private = std::fs::read_to_string(self.set.path().join(name))?;
        self.write(PRIVATE_KEY_SECRET, &private)?;
        self.restart_core().await
    }

    async fn business(&self, name: &str) -> anyhow::Result<()> {
        let traffic = Traffic::new(name, 4);
        traffic.fund(&self.set.stage, 100).await?;
        let time = Duration::from_secs(1);
        traffic.open(&self.set.stage, 20, time).await?;
        self.set.all_is_well().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_is_introduced_and_rolled_and_trips_nothing() -> anyhow::Result<()> {
    let mut rolled = RolledStage::without_pair().await?;
    rolled.business("macs").await?;
    let mut known = String::new();
    rolled.roll_pair("first", &mut known).await?;
    rolled.business("first").await?;
    rolled.roll_pair("second", &mut known).await?;
    rolled.business("second").await?;
    let run = rolled.set.stage.client.audit_now(AUDIT_TIMEOUT).await?;
    let found = rolled.set.verdicts().await?;
    ensure!(found.is_empty() && run["openFindings"] == 0, "{found:?}");

    // The last step: MACs count no more, and pairs are in force for good.
    rolled.require_pairs()?;
    rolled.restart_sidecar().await?;
    rolled.business("pairs").await?;
    let status = rolled.set.stage.client.sidecar_status().await?;
    ensure!(
        status["data"]["state"]["transactionsBy"] == "pairs",
        "{status}"
    );
    let found = rolled.set.verdicts().await?;
    ensure!(found.is_empty(), "{found:?}");

    TransactionKeyPair::create(&rolled.set.path().join("stranger"))?;
    rolled.sign_with("stranger").await?;
    Traffic::new("stranger", 2)
        .fund(&rolled.set.stage, 5)
        .await?;
    until("the stranger's signature is told", async || {
        let said = rolled.set.verdicts().await?;
        let is_told = |rule: &str, why: &str| {
            let mut of_rule = said.iter().filter(|said| said.starts_with(rule));
            of_rule.any(|said| said.contains(why))
        };
        // Its relay takes published rows away: that stops everybody, and says whose word it was.
        Ok(is_told("provenance ", "that this sidecar does not accept")
            && is_told("guard_row ", "which is not in transaction_public_keys"))
    })
    .await
}
