//! A row of the guard that no program wrote is a finding that stops everybody, whatever the
//! rule files say; so is a row that was taken away.

use crate::fence::submit;
use anyhow::ensure;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sluice_drill::stage::traffic::Traffic;
use sluice_tests::{TestStage, options, until};

/// Statements by hand, each on a table of which a finding tells.
const BY_HAND: [(&str, &str); 18] = [
    (
        "fence_token",
        "UPDATE guard.fence_token SET token=1000000000000",
    ),
    (
        "breaker",
        "INSERT INTO guard.breaker (point,scope,scope_key,state,reason,changed_by,version,updated_us) \
         VALUES ('refund','account','X','closed','','x',1,1)",
    ),
    (
        "breaker_transition",
        "INSERT INTO guard.breaker_transition (point,scope,scope_key,version,state,reason,changed_by,changed_us) \
         VALUES ('refund','account','X',1,'closed','','x',1)",
    ),
    (
        "suppression",
        "INSERT INTO guard.suppression (suppression_id,rule,finding_key,reason,author,amount_cap,amount_used,hits,\
         created_us,expires_us) VALUES (REPEAT('a',32),'provenance','A00001','x','x',1000000,0,0,1,9000000000000000)",
    ),
    ("suppression", "DELETE FROM guard.suppression"),
    (
        "rule_member",
        "UPDATE guard.rule_member SET mode='shadow' WHERE rule='provenance'",
    ),
    ("rule_set", "UPDATE guard.rule_set SET created_by='x'"),
    (
        "rule_active",
        "UPDATE guard.rule_active SET updated_us=updated_us+1",
    ),
    (
        "checkpoint",
        "UPDATE guard.checkpoint SET rules_hash='x' WHERE source='binlog'",
    ),
    ("checkpoint", "DELETE FROM guard.checkpoint"),
    (
        "lease",
        "UPDATE guard.lease SET expires_us=expires_us+1 WHERE name='sidecar'",
    ),
    ("guard_seal", "UPDATE guard.guard_seal SET version=0"),
    ("guard_seal", "DELETE FROM guard.guard_seal"),
    (
        "route_active",
        "INSERT INTO orders.route_active (name,version,epoch,updated_us) VALUES ('active',0,7,1)",
    ),
    (
        "route_activation",
        "INSERT INTO orders.route_activation (epoch,version,previous,author,reason,activated_us) \
         VALUES (7,0,0,'x','x',1)",
    ),
    ("limit_total", "DELETE FROM orders.limit_total"),
    ("idempotency", "DELETE FROM orders.idempotency"),
    ("attempt", "DELETE FROM orders.attempt"),
];

/// Changes of structure by which later changes would be hidden or doubled.
const STRUCTURE: [&str; 4] = [
    "CREATE TRIGGER ledger.t BEFORE INSERT ON ledger.entry FOR EACH ROW SET NEW.kind='adjust'",
    "ALTER TABLE orders.attempt DROP INDEX one_live",
    "ALTER TABLE orders.idempotency DROP PRIMARY KEY",
    "RENAME TABLE orders.cases TO orders.cases_old",
];

/// Counts the findings of this rule that name the table.
async fn findings(
    conn: &mut Conn,
    set: &TestStage,
    rule: &str,
    table: &str,
) -> anyhow::Result<i64> {
    let sql = format!(
        "SELECT COUNT(*) FROM {}.verdict WHERE rule=? AND item=? AND mode='trip'",
        set.stage.schemas.guard
    );
    let count: Option<i64> = conn.exec_first(sql, (rule, table)).await?;
    Ok(count.unwrap_or(0))
}

fn named(set: &TestStage, statement: &str) -> String {
    let schemas = &set.stage.schemas;
    let statement = statement.replace("guard.", &format!("{}.", schemas.guard));
    let statement = statement.replace("ledger.", &format!("{}.", schemas.ledger));
    statement.replace("orders.", &format!("{}.", schemas.orders))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_that_no_program_wrote_is_told_and_stops_everybody() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("rows", 2).fund(&set.stage, 1_000).await?;
    // The second counts in totals that are there.
    for name in ["rows-honest", "rows-again"] {
        let order = submit(&set, name).await?;
        set.stage.wait_for_status(&order, "success").await?;
    }
    set.everything_is_evaluated().await?;
    let honest = set.verdicts().await?;
    ensure!(honest.is_empty(), "honest business is accused: {honest:?}");

    let mut conn = sluice_contract::sql::connect(&set.stage.url).await?;
    for (table, statement) in BY_HAND {
        let before = findings(&mut conn, &set, "guard_row", table).await?;
        conn.query_drop(named(&set, statement)).await?;
        ensure!(
            conn.affected_rows() > 0,
            "nothing was changed by {statement}"
        );
        until(&format!("a finding tells of {statement}"), async || {
            let mut conn = set.stage.pool.get_conn().await?;
            Ok(findings(&mut conn, &set, "guard_row", table).await? > before)
        })
        .await?;
    }
    for (at, statement) in STRUCTURE.iter().enumerate() {
        conn.query_drop(named(&set, statement)).await?;
        until(&format!("a finding tells of {statement}"), async || {
            let said = set.verdicts().await?;
            let of = said.iter().filter(|said| said.starts_with("statement_dml"));
            Ok(of.count() > at)
        })
        .await?;
    }
    let open = format!(
        "SELECT COUNT(*) FROM {}.breaker WHERE scope='all' AND state='open'",
        set.stage.schemas.guard
    );
    let open: Option<i64> = conn.query_first(open).await?;
    ensure!(open == Some(3), "{open:?}");
    Ok(())
}

/// A token that nobody raised lets nothing through: the core knows what it raised.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_written_by_hand_opens_no_fence() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    Traffic::new("token", 2).fund(&set.stage, 1_000).await?;
    let order = submit(&set, "token-honest").await?;
    set.stage.wait_for_status(&order, "success").await?;
    let guard = &set.stage.schemas.guard;
    let mut conn = set.stage.pool.get_conn().await?;
    conn.query_drop(format!(
        "UPDATE {guard}.fence_token SET token=1000000000000"
    ))
    .await?;
    until("the token is told", async || {
        let mut conn = set.stage.pool.get_conn().await?;
        Ok(findings(&mut conn, &set, "guard_row", "fence_token").await? > 0)
    })
    .await?;
    // The core's own next token takes its place, and passes.
    submit(&set, "token-next").await?;
    let own = format!(
        "SELECT COUNT(*) FROM {guard}.fence_token WHERE token<1000000 AND instance NOT LIKE 'check%'"
    );
    until("the core's own token stands there again", async || {
        let mut conn = set.stage.pool.get_conn().await?;
        let own: Option<u64> = conn.query_first(&own).await?;
        Ok(own.is_some_and(|own| own > 0))
    })
    .await
}
