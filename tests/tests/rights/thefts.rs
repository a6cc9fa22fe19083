//! Thefts by somebody with rights on the database, each to its end: nothing leaves.

use crate::fence::submit;
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::provenance::TransactionSigner;
use sluice_drill::faults::signed::adjust;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options, until};
use std::time::Duration;

const ACCOUNT: &str = "A00001";

/// Waits for a finding of each of these rules.
async fn wait_for_findings(set: &TestStage, rules: &[&str]) -> anyhow::Result<()> {
    for rule in rules {
        until(&format!("{rule} tells"), async || {
            let said = set.verdicts().await?;
            Ok(said.iter().any(|said| said.starts_with(rule)))
        })
        .await?;
    }
    Ok(())
}

/// Submits an order, and expects that no money leaves for it.
async fn nothing_leaves(set: &TestStage, name: &str) -> anyhow::Result<()> {
    let order = submit(set, name).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let shown = set.stage.client.order(&order).await?;
    ensure!(shown["status"] == "init", "{shown}");
    ensure!(set.stage.book().is_empty(), "money left: {shown}");
    Ok(())
}

/// Deposes the sidecar, credits an account with balanced entries, and deletes the checkpoint,
/// so that what was done meanwhile would lie before a first start.
async fn depose_and_credit(set: &TestStage) -> anyhow::Result<()> {
    let guard = &set.stage.schemas.guard;
    let mut conn = sluice_contract::sql::connect(&set.stage.url).await?;
    let until_us = now_us() + 6_000_000;
    conn.query_drop(format!(
        "UPDATE {guard}.lease SET owner='x',epoch=epoch+1,expires_us={until_us} WHERE name='sidecar'"
    ))
    .await?;
    adjust(
        &mut conn,
        &set.stage.schemas,
        None,
        ACCOUNT,
        1_000_000.into(),
        "by-hand",
    )
    .await?;
    conn.query_drop(format!(
        "DELETE FROM {guard}.checkpoint WHERE source='binlog'"
    ))
    .await?;
    conn.query_drop(format!(
        "UPDATE {guard}.lease SET expires_us=0 WHERE name='sidecar'"
    ))
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposed_sidecar_and_a_deleted_checkpoint_hide_no_credit() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("theft", 2).fund(&set.stage, 1_000).await?;
    set.everything_is_evaluated().await?;
    depose_and_credit(&set).await?;
    wait_for_findings(&set, &["guard_row", "provenance"]).await?;
    nothing_leaves(&set, "theft-1").await
}

/// The same where no sidecar runs meanwhile; it comes back from its host's own copy.
#[tokio::test(flavor = "multi_thread")]
async fn nor_while_no_sidecar_runs() -> anyhow::Result<()> {
    let mut set = TestStage::up(options()).await?;
    Traffic::new("theft", 2).fund(&set.stage, 1_000).await?;
    set.everything_is_evaluated().await?;
    let mut sidecar = set.stage.sidecar.take().context("the sidecar")?;
    sidecar.kill9()?;
    depose_and_credit(&set).await?;
    sidecar.restart()?;
    set.stage.sidecar = Some(sidecar);
    wait_for_findings(&set, &["guard_row", "provenance"]).await?;
    nothing_leaves(&set, "theft-2").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_closed_in_sight_of_the_binlog_stops_everybody() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("theft", 2).fund(&set.stage, 1_000).await?;
    let breaker = format!("cash_out/account/{ACCOUNT}");
    set.stage.client.trip(&breaker, "ann", "a test").await?;
    let mut conn = sluice_contract::sql::connect(&set.stage.url).await?;
    let closed = format!(
        "UPDATE {}.breaker SET state='closed',version=version+1",
        set.stage.schemas.guard
    );
    conn.query_drop(closed).await?;
    wait_for_findings(&set, &["guard_row  breaker"]).await?;
    nothing_leaves(&set, "theft-3").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payee_changed_past_the_binlog_is_not_paid() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("theft", 2).fund(&set.stage, 1_000).await?;
    let breaker = format!("cash_out/account/{ACCOUNT}");
    set.stage.client.trip(&breaker, "ann", "a test").await?;
    let order = submit(&set, "theft-4").await?;
    let mut conn = sluice_contract::sql::connect(&set.stage.url).await?;
    conn.query_drop("SET sql_log_bin=0").await?;
    let changed = format!(
        "UPDATE {}.orders SET to_account='thief' WHERE order_id=?",
        set.stage.schemas.orders
    );
    conn.exec_drop(changed, (&order,)).await?;
    set.stage.client.reset(&breaker, "ann", "over").await?;
    wait_for_findings(&set, &["order_altered"]).await?;
    ensure!(set.stage.book().is_empty(), "the thief was paid");
    Ok(())
}

/// Each sidecar has the key of MACs: with it somebody writes a credit whose rows, MAC and seals
/// are as the core makes them. The key that signs transactions is the cores' alone.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_sidecars_keys_cannot_sign_as_the_core() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("theft", 2).fund(&set.stage, 1_000).await?;
    let (mut conn, schemas) = (set.stage.pool.get_conn().await?, &set.stage.schemas);
    let repair = Some(&set.stage.signer);
    adjust(&mut conn, schemas, repair, ACCOUNT, 5.into(), "repaired").await?;
    set.everything_is_evaluated().await?;
    let said = set.verdicts().await?;
    ensure!(said.is_empty(), "what the core signs is its own: {said:?}");
    let thief = TransactionSigner::from(set.stage.key.clone());
    let credit = 1_000_000.into();
    adjust(&mut conn, schemas, Some(&thief), ACCOUNT, credit, "forged").await?;
    wait_for_findings(&set, &["provenance"]).await?;
    let said = set.verdicts().await?;
    let why = "signed with a key, or in a way, that this sidecar does not accept";
    ensure!(said.iter().any(|said| said.contains(why)), "{said:?}");
    nothing_leaves(&set, "theft-3").await
}
