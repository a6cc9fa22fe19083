//! Tokens of clients: each its own, and they roll while the core runs.

use crate::access::{Upstream, client, stage, start, token, write_secret};
use anyhow::ensure;
use sluice_contract::transaction_key::PRIVATE_KEY_SECRET;
use sluice_tests::TestStage;
use std::time::Duration;

async fn until(set: &TestStage, token: &str, status: u16) -> anyhow::Result<()> {
    let caller = Upstream::nobody(set)?.with("authorization", &format!("Bearer {token}"));
    for _ in 0..600 {
        if caller.get("/withdraw").await?.status == status {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("{token} is never answered {status}")
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_roll_while_the_core_runs() -> anyhow::Result<()> {
    let mut set = stage(&client("shop", "accounts = [\"*\"]")).await?;
    start(&mut set, &["shop"]).await?;
    let (old, new) = (token("shop"), token("shop-after-rolling"));
    until(&set, &old, 200).await?;
    until(&set, &new, 401).await?;
    write_secret(&set, "client_shop_next", &new)?;
    until(&set, &new, 200).await?;
    until(&set, &old, 200).await?;
    write_secret(&set, "client_shop", &new)?;
    std::fs::remove_file(set.stage.dir.join("secrets/client_shop_next"))?;
    until(&set, &old, 401).await?;
    until(&set, &new, 200).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_with_one_token_are_refused() -> anyhow::Result<()> {
    let both = client("bank", "accounts = [\"*\"]") + &client("shop", "accounts = [\"*\"]");
    let mut set = stage(&both).await?;
    write_secret(&set, "client_shop_next", &token("bank"))?;
    ensure!(
        start(&mut set, &["bank", "shop"]).await.is_err(),
        "the core started"
    );
    let log = std::fs::read_to_string(set.stage.dir.join("core.log"))?;
    ensure!(
        log.contains("are the same secret") && !log.contains(&token("bank")),
        "{log}"
    );
    // A secret that becomes another's later lets nobody in.
    std::fs::remove_file(set.stage.dir.join("secrets/client_shop_next"))?;
    start(&mut set, &["bank", "shop"]).await?;
    until(&set, &token("bank"), 200).await?;
    write_secret(&set, "client_shop_next", &token("bank"))?;
    until(&set, &token("bank"), 401).await?;
    until(&set, &token("shop"), 200).await
}

/// Every pair of a core's secrets: whoever has one would be the other.
#[tokio::test(flavor = "multi_thread")]
async fn one_secret_of_two_owners_starts_no_core() -> anyhow::Result<()> {
    let mut set = stage(&client("shop", "accounts = [\"*\"]")).await?;
    let secrets = set.stage.dir.join("secrets");
    let shop = token("shop");
    write_secret(&set, "client_shop", &shop)?;
    for name in ["provenance_key", "channel_psp", "channel_unionpay_next"] {
        let before = std::fs::read_to_string(secrets.join(name)).ok();
        write_secret(&set, name, &shop)?;
        ensure!(set.stage.start_core().await.is_err(), "{name}: it started");
        let log = std::fs::read_to_string(set.stage.dir.join("core.log"))?;
        let is_named = log.contains("are the same secret") && log.contains("client_shop");
        ensure!(is_named && !log.contains(&shop), "{name}: {log}");
        match before {
            Some(text) => write_secret(&set, name, &text)?,
            None => std::fs::remove_file(secrets.join(name))?,
        }
    }
    // Every sidecar has this one: whoever verifies could sign.
    let private = std::fs::read_to_string(secrets.join(PRIVATE_KEY_SECRET))?;
    let shared = std::fs::read_to_string(secrets.join("provenance_key"))?;
    write_secret(&set, PRIVATE_KEY_SECRET, &shared)?;
    ensure!(set.stage.start_core().await.is_err(), "one key for both");
    let log = std::fs::read_to_string(set.stage.dir.join("core.log"))?;
    let named = "transaction_key and provenance_key are the same secret";
    ensure!(log.contains(named) && !log.contains(shared.trim()), "{log}");
    write_secret(&set, PRIVATE_KEY_SECRET, &private)?;
    set.stage.start_core().await
}
