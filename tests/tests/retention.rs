//! Retention on a live stage: what is old goes, what isn't stays, orders are paid meanwhile,
//! and nobody takes it for a change by hand.

use anyhow::{Context, ensure};
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_drill::stage::StageOptions;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options};
use std::time::{Duration, Instant};

const US_PER_DAY: i64 = 86_400_000_000;

/// Tables in which a row is written as old and one as young.
const TABLES: [&str; 5] = [
    "outbox_archive",
    "order_transition",
    "cases",
    "limit_total",
    "fence_token",
];

#[tokio::test(flavor = "multi_thread")]
async fn old_rows_go_unsuspected_and_young_ones_stay() -> anyhow::Result<()> {
    let mut options = options();
    options.core_extra += "\nretention.interval_s = 1\nretention.transition_days = 400";
    let mut set = TestStage::prepare(StageOptions { ..options }).await?;
    set.stage.start_core().await?;
    let now = now_us();
    may_delete_histories(&set).await?;
    // Before the sidecar looks: rows of a long life, which no core of today has written.
    write(&set, "old", now - 900 * US_PER_DAY).await?;
    write(&set, "young", now - US_PER_DAY).await?;
    set.stage.start_sidecar().await?;
    set.stage.wait_for_fence().await?;
    let traffic = Traffic::new("keep", 20);
    traffic.fund(&set.stage, 1_000).await?;
    let report = traffic.open(&set.stage, 40, Duration::from_secs(3)).await?;
    ensure!(report.succeeded() == 120, "{:?}", report.statuses);
    for table in TABLES {
        until_gone(&set, table).await?;
        let left = count(&set, table, "young").await?;
        ensure!(left == 1, "{left} young rows of {table}");
    }
    ensure!(
        count(&set, "outbox_archive", "kept").await? == 2,
        "a reason keeps a row"
    );
    ensure!(count(&set, "orders", "old").await? == 1, "an order went");
    set.everything_is_evaluated().await?;
    let guard = &set.stage.schemas.guard;
    let mut conn = set.stage.pool.get_conn().await?;
    let open: Option<u64> = conn
        .query_first(format!("SELECT COUNT(*) FROM {guard}.breaker"))
        .await?;
    let verdicts = set.verdicts().await?;
    let found = &verdicts;
    ensure!(found.is_empty() && open == Some(0), "{open:?} {found:?}");
    let left = set.stage.drain(0, Duration::from_secs(60)).await?;
    ensure!(left == 0, "{left} orders have not ended");
    Ok(())
}

/// Gives the core's user the right that retention of histories asks for.
async fn may_delete_histories(set: &TestStage) -> anyhow::Result<()> {
    let mut conn = set.stage.pool.get_conn().await?;
    let users: Vec<(String, String)> = conn
        .query("SELECT user,host FROM mysql.user WHERE user LIKE '%\\_core'")
        .await?;
    for (user, host) in users {
        let orders = &set.stage.schemas.orders;
        conn.query_drop(format!(
            "GRANT DELETE ON {orders}.order_transition TO '{user}'@'{host}'"
        ))
        .await?;
    }
    Ok(())
}

/// Writes a row of each table under the name `age`, of that time.
async fn write(set: &TestStage, age: &str, at_us: i64) -> anyhow::Result<()> {
    let (orders, guard) = (&set.stage.schemas.orders, &set.stage.schemas.guard);
    let id = format!("{:012x}{age:0<20}", at_us / 1_000);
    let month = sluice_contract::clock::trade_time(at_us, "UTC")?[..6].to_owned();
    let mut conn = set.stage.pool.get_conn().await?;
    for sql in [
        format!(
            "INSERT INTO {orders}.outbox_archive (account_id,tx_id,events,reason,created_us,archived_us) \
                 VALUES ('{age}','{id}','[]',NULL,{at_us},{at_us}),('kept','{id}','?','not JSON',{at_us},{at_us})"
        ),
        format!(
            "INSERT INTO {orders}.orders (account_id,order_id,state,version,created_us,updated_us) \
                 VALUES ('{age}','{id}','success',4,{at_us},{at_us})"
        ),
        format!(
            "INSERT INTO {orders}.order_transition (account_id,order_id,version,event,from_state,to_state,at_us) \
                 VALUES ('{age}','{id}',2,'claim','init','dispatching',{at_us})"
        ),
        format!(
            "INSERT INTO {orders}.cases (account_id,order_id,kind,detail,state,opened_us,closed_us,closed_by) \
                 VALUES ('{age}','{id}','not_sent','-','closed',{at_us},{at_us},'core')"
        ),
        format!(
            "INSERT INTO {orders}.limit_total (scope,scope_key,currency,period,amount,version,updated_us) \
                 VALUES ('account','{age}','CNY','{month}',1,1,{at_us})"
        ),
        format!(
            "INSERT INTO {guard}.fence_token (instance,token,updated_us) VALUES ('{age}',1,{at_us})"
        ),
    ] {
        conn.query_drop(&sql).await.context(sql)?;
    }
    Ok(())
}

async fn count(set: &TestStage, table: &str, age: &str) -> anyhow::Result<i64> {
    let (orders, guard) = (&set.stage.schemas.orders, &set.stage.schemas.guard);
    let (schema, column) = match table {
        "limit_total" => (orders, "scope_key"),
        "fence_token" => (guard, "instance"),
        _ => (orders, "account_id"),
    };
    let sql = format!("SELECT COUNT(*) FROM {schema}.{table} WHERE {column}='{age}'");
    let mut conn = set.stage.pool.get_conn().await?;
    conn.query_first(sql).await?.context("no count")
}

async fn until_gone(set: &TestStage, table: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    while count(set, table, "old").await? > 0 {
        ensure!(
            begun.elapsed() < Duration::from_secs(60),
            "{table} keeps old rows"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
