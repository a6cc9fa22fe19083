//! Retention of the guard schema on a live stage: what is old goes, slice after slice and
//! over a kill; what is young, stands at rest, or is of a breaker that is open stays.

use anyhow::{Context, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::sql;
use sluice_drill::stage::StageOptions;
use sluice_tests::{TestStage, mysql_server, options, until};

const US_PER_DAY: i64 = 86_400_000_000;
/// More than three slices.
const OLD_VERDICTS: u64 = 1_700;
const BREAKER: &str = "cash_out/account/A00001";

fn quick() -> StageOptions {
    StageOptions {
        sidecar_extra: "retention.interval_s = 1".into(),
        ..options()
    }
}

/// Brings up everything but the sidecar, with a run of the audit that is no day old: the
/// next one, which would forget the finding that is written below, is not due.
async fn prepare(options: StageOptions) -> anyhow::Result<TestStage> {
    let mut set = TestStage::prepare(options).await?;
    set.stage.start_core().await?;
    let guard = &set.stage.schemas.guard;
    let mut conn = set.stage.pool.get_conn().await?;
    for (id, at_us) in [("old", now_us() - 900 * US_PER_DAY), ("young", now_us())] {
        conn.query_drop(format!(
            "INSERT INTO {guard}.audit_run (run_id,reason,position,accounts,row_count,suspects,open_findings,verdicts,\
             started_us,completed_us) VALUES ('{id}','demand','',0,0,0,0,0,{at_us},{at_us})"
        ))
        .await?;
    }
    Ok(set)
}

/// A verdict of an account, found then.
fn verdict(id: &str, account: &str, at_us: i64) -> String {
    format!("('{id}','r','h','alert','violation','p','i','{account}','m',{at_us})")
}

async fn insert_verdicts(conn: &mut Conn, guard: &str, rows: &[String]) -> anyhow::Result<()> {
    let sql = format!(
        "INSERT INTO {guard}.verdict (verdict_id,rule,rule_hash,mode,outcome,position,item,account_id,message,found_us) \
         VALUES {}",
        rows.join(",")
    );
    Ok(conn.query_drop(sql).await?)
}

/// Writes what retention looks at, once the sidecar runs and the breaker was moved thrice.
async fn write(set: &TestStage) -> anyhow::Result<()> {
    let old = now_us() - 900 * US_PER_DAY;
    let young = now_us() - US_PER_DAY;
    let guard = &set.stage.schemas.guard;
    let mut conn = sql::connect(&set.stage.url).await?;
    // Nobody's program writes them: in the binlog they would be a theft.
    conn.query_drop("SET sql_log_bin=0").await?;
    let mut rows = vec![
        verdict("young", "B", young),
        verdict("named", "B", old),
        verdict("stands", "B", old),
        verdict("stopped", "A00001", old),
    ];
    // Half of them of one moment, as one commit writes them.
    rows.extend((0..OLD_VERDICTS).map(|n| {
        let at_us = old + i64::try_from(n.saturating_sub(OLD_VERDICTS / 2)).unwrap_or(0);
        verdict(&format!("old-{n}"), "B", at_us)
    }));
    for sql in [
        format!(
            "INSERT INTO {guard}.audit_finding (finding_id,rule,verdict_id,since_us) VALUES ('f','r','stands',{old})"
        ),
        format!("UPDATE {guard}.breaker SET verdict_id='named' WHERE scope_key='A00001'"),
        format!("UPDATE {guard}.breaker_transition SET changed_us={old} WHERE scope_key='A00001'"),
        format!(
            "INSERT INTO {guard}.suppression (suppression_id,rule,finding_key,reason,author,amount_cap,amount_used,hits,\
             created_us,expires_us) VALUES ('old','r','k','-','ann',1,0,0,{old},{old}),\
             ('young','r','k','-','ann',1,0,0,{old},{young})"
        ),
        format!(
            "INSERT INTO {guard}.dead_letter (topic,partition_no,offset_no,reason,payload,payload_bytes,event_time_us,found_us) \
             VALUES ('old',0,1,'json','x',1,{old},{old}),('young',0,1,'json','x',1,{young},{young})"
        ),
    ] {
        conn.query_drop(&sql).await.context(sql)?;
    }
    insert_verdicts(&mut conn, guard, &rows).await
}

async fn ids(set: &TestStage, sql: &str) -> anyhow::Result<Vec<String>> {
    let mut conn = set.stage.pool.get_conn().await?;
    let sql = sql.replace("guard.", &format!("{}.", set.stage.schemas.guard));
    Ok(conn.query(sql).await?)
}

async fn old_rows_go_over_a_kill(options: StageOptions) -> anyhow::Result<()> {
    let mut set = prepare(options).await?;
    set.stage.start_sidecar().await?;
    set.stage.wait_for_fence().await?;
    set.stage.client.trip(BREAKER, "ann", "a test").await?;
    set.stage.client.reset(BREAKER, "ann", "over").await?;
    set.stage.client.trip(BREAKER, "ann", "again").await?;
    write(&set).await?;
    let old = "SELECT verdict_id FROM guard.verdict WHERE verdict_id LIKE 'old-%'";
    until("the first slice", async || {
        Ok(ids(&set, old).await?.len() < OLD_VERDICTS as usize)
    })
    .await?;
    let mut sidecar = set.stage.sidecar.take().context("no sidecar")?;
    sidecar.kill9()?;
    set.stage.start_sidecar().await?;
    set.stage.wait_for_fence().await?;
    until("every old verdict gone", async || {
        Ok(ids(&set, old).await?.is_empty())
    })
    .await?;
    for (what, sql, stays) in [
        (
            "verdicts",
            "SELECT verdict_id FROM guard.verdict ORDER BY 1",
            &["named", "stands", "stopped", "young"][..],
        ),
        (
            "moves of the breaker",
            "SELECT CONCAT(version,state) FROM guard.breaker_transition WHERE scope_key='A00001'",
            &["3open"][..],
        ),
        (
            "suppressions",
            "SELECT suppression_id FROM guard.suppression",
            &["young"][..],
        ),
        (
            "audits",
            // The sidecar's own first one is young too.
            "SELECT run_id FROM guard.audit_run WHERE run_id IN ('old','young')",
            &["young"][..],
        ),
        (
            "dead letters",
            "SELECT topic FROM guard.dead_letter",
            &["young"][..],
        ),
    ] {
        until(what, async || Ok(ids(&set, sql).await? == stays))
            .await
            .with_context(|| format!("should be {stays:?}"))?;
    }
    let failures = set
        .stage
        .sidecar_metric("sluice_sidecar_retention_failures_total")
        .await?;
    ensure!(failures == 0, "{failures} rounds failed");
    // What is left of the history still holds the breaker where it is.
    set.stage.client.reset(BREAKER, "ann", "over").await
}

#[tokio::test(flavor = "multi_thread")]
async fn old_rows_of_the_guard_go_and_what_counts_stays_on_mariadb() -> anyhow::Result<()> {
    old_rows_go_over_a_kill(quick()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn old_rows_of_the_guard_go_and_what_counts_stays_on_mysql() -> anyhow::Result<()> {
    let Some((_dir, server)) = mysql_server().await? else {
        return Ok(());
    };
    old_rows_go_over_a_kill(StageOptions {
        mysql_url: Some(server.url()),
        ..quick()
    })
    .await
}

/// Whoever has the sidecar's password may call the procedures as they like.
#[tokio::test(flavor = "multi_thread")]
async fn the_sidecars_password_erases_no_young_finding() -> anyhow::Result<()> {
    let set = prepare(options()).await?;
    let guard = &set.stage.schemas.guard;
    let mut admin = sql::connect(&set.stage.url).await?;
    let days_ago = |days: i64| now_us() - days * US_PER_DAY;
    let rows = [("days-29", 29), ("days-31", 31), ("named", 31)];
    let rows = rows.map(|(id, days)| verdict(id, "B", days_ago(days)));
    insert_verdicts(&mut admin, guard, &rows).await?;
    admin
        .query_drop(format!(
            "INSERT INTO {guard}.breaker (point,scope,scope_key,state,verdict_id,reason,changed_by,version,updated_us) \
             VALUES ('cash_out','account','C','open','named','-','ann',1,0)"
        ))
        .await?;
    let mut thief = sql::connect(&set.stage.urls.sidecar.orders).await?;
    for trick in [
        "SET timestamp = 2100000000",
        "SET time_zone = '+13:00'",
        "SET time_zone = '-12:00'",
    ] {
        // A trick that the server refuses is none.
        let _ = thief.query_drop(trick).await;
        thief
            .query_drop(format!("CALL {guard}.purge_verdict(0, {})", i64::MAX))
            .await?;
    }
    let left = ids(&set, "SELECT verdict_id FROM guard.verdict ORDER BY 1").await?;
    ensure!(left == ["days-29", "named"], "{left:?}");
    Ok(())
}
