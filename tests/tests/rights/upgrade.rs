//! An installation of before the signatures: its rows trip nothing, until a person says from
//! when on each must be signed; then no row of before is obeyed.

use crate::fence::submit;
use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options, until};

/// Takes away every signature and the mark, as they are right after the migration.
async fn as_of_before(set: &TestStage) -> anyhow::Result<()> {
    let schemas = &set.stage.schemas;
    let mut conn = sluice_contract::sql::connect(&set.stage.url).await?;
    conn.query_drop("SET sql_log_bin=0").await?;
    conn.query_drop(format!("DELETE FROM {}.guard_seal", schemas.guard))
        .await?;
    for table in [
        "breaker",
        "breaker_transition",
        "suppression",
        "rule_set",
        "rule_member",
        "rule_active",
        "checkpoint",
        "lease",
        "fence_token",
    ] {
        conn.query_drop(format!("UPDATE {}.{table} SET mac=NULL", schemas.guard))
            .await?;
    }
    let totals = format!("UPDATE {}.limit_total SET mac=NULL", schemas.orders);
    Ok(conn.query_drop(totals).await?)
}

/// A row as a program of before writes it.
async fn unsigned_row(set: &TestStage, number: u32) -> anyhow::Result<()> {
    let mut conn = sluice_contract::sql::connect(&set.stage.url).await?;
    let sql = format!(
        "INSERT INTO {}.breaker_transition (point,scope,scope_key,version,state,reason,changed_by,changed_us) \
         VALUES ('refund','account','OLD',?,'closed','','old',1)",
        set.stage.schemas.guard
    );
    Ok(conn.exec_drop(sql, (number,)).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_before_trip_nothing_until_a_person_says_so() -> anyhow::Result<()> {
    let mut set = TestStage::up(options()).await?;
    Traffic::new("before", 2).fund(&set.stage, 1_000).await?;
    let order = submit(&set, "before-1").await?;
    set.stage.wait_for_status(&order, "success").await?;
    let mut sidecar = set.stage.sidecar.take().context("the sidecar")?;
    sidecar.kill9()?;
    let mut core = set.stage.core.take().context("the core")?;
    core.kill9()?;
    as_of_before(&set).await?;
    std::fs::remove_dir_all(set.stage.dir.join("state"))?;
    sidecar.restart()?;
    set.stage.sidecar = Some(sidecar);
    set.stage.start_core().await?;
    set.stage.wait_for_fence().await?;

    unsigned_row(&set, 1).await?;
    let order = submit(&set, "before-2").await?;
    set.stage.wait_for_status(&order, "success").await?;
    set.everything_is_evaluated().await?;
    let said = set.verdicts().await?;
    ensure!(said.is_empty(), "a row of before tripped: {said:?}");

    set.stage
        .client
        .seal_guard("ann", "all is upgraded")
        .await?;
    let order = submit(&set, "after-1").await?;
    set.stage.wait_for_status(&order, "success").await?;
    set.everything_is_evaluated().await?;
    let said = set.verdicts().await?;
    ensure!(said.is_empty(), "honest business is accused: {said:?}");

    unsigned_row(&set, 2).await?;
    until("the row is told", async || {
        let said = set.verdicts().await?;
        Ok(said
            .iter()
            .any(|said| said.starts_with("guard_row  breaker_transition")))
    })
    .await?;
    // Read again after a restart, what was committed before the mark is still nobody's fault.
    let before = set.verdicts().await?;
    let sidecar = set.stage.sidecar.as_mut().context("the sidecar")?;
    sidecar.kill9()?;
    sidecar.restart()?;
    set.stage.wait_for_fence().await?;
    set.everything_is_evaluated().await?;
    let after = set.verdicts().await?;
    ensure!(before == after, "{before:?}\n{after:?}");
    Ok(())
}
