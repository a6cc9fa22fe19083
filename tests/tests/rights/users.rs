//! The database users of the programs have what they need (every stage of these tests
//! runs on them) and nothing that hides or rewrites money.

use anyhow::ensure;
use mysql_async::prelude::Queryable;
use sluice_contract::sql;
use sluice_drill::stage::StageOptions;
use sluice_tests::{TestStage, mysql_server, options};

/// Statements that no program's user may run.
const FORBIDDEN: [&str; 23] = [
    "SET sql_log_bin = 0",
    "SET SESSION binlog_format = 'STATEMENT'",
    "SET GLOBAL read_only = 0",
    "UPDATE sluice_ledger.entry SET amount = 1",
    "DELETE FROM sluice_ledger.entry",
    "DELETE FROM sluice_orders.orders",
    "DELETE FROM sluice_orders.attempt",
    "DELETE FROM sluice_orders.order_transition",
    "UPDATE sluice_orders.idempotency SET order_id = ''",
    "DELETE FROM sluice_balance.balance",
    "DELETE FROM sluice_balance.capture",
    "UPDATE sluice_balance.booking_result SET posting_id = 'x'",
    "DELETE FROM sluice_balance.booking_result",
    "TRUNCATE TABLE sluice_ledger.entry",
    "DROP TABLE sluice_guard.verdict",
    "ALTER TABLE sluice_orders.orders ADD COLUMN x INT",
    "CREATE TRIGGER sluice_orders.t BEFORE INSERT ON sluice_orders.orders FOR EACH ROW SET NEW.amount = 1",
    "DELETE FROM sluice_guard.verdict",
    "DELETE FROM sluice_guard.breaker_transition",
    "DELETE FROM sluice_guard.suppression",
    "DELETE FROM sluice_guard.audit_run",
    "UPDATE sluice_guard.verdict SET found_us = 0",
    "DROP PROCEDURE sluice_guard.purge_verdict",
];
/// Statements that only the sidecar's user may run.
const THE_SIDECARS: [&str; 5] = [
    "UPDATE sluice_guard.breaker SET state = 'closed'",
    "UPDATE sluice_guard.breaker_seal SET version = 1",
    "UPDATE sluice_guard.checkpoint SET position = ''",
    "CALL sluice_guard.purge_verdict(0, 1)",
    "CALL sluice_guard.purge_breaker_transition(0, 1)",
];
/// Statements that only the core's user may run.
const THE_CORES: [&str; 3] = [
    "UPDATE sluice_balance.balance SET available = 1",
    "UPDATE sluice_orders.orders SET to_account = 'mule'",
    "INSERT INTO sluice_ledger.entry (entry_id) VALUES ('x')",
];
/// Statements that only an operator may run.
const THE_OPERATORS: [&str; 2] = [
    "UPDATE sluice_orders.route_active SET version = 9",
    "INSERT INTO sluice_orders.route_version (version) VALUES (9)",
];

/// The statements that were not refused for want of a right.
async fn allowed(url: &str, statements: &[&'static str]) -> anyhow::Result<Vec<&'static str>> {
    let mut conn = sql::connect(url).await?;
    let mut allowed = Vec::new();
    for statement in statements {
        let done = conn.query_drop(*statement).await;
        let refused = match &done {
            Ok(()) => false,
            // Denied: a schema, a command, a column, a right, a procedure, or a trigger beside a
            // binlog.
            Err(mysql_async::Error::Server(error)) => {
                [1044, 1142, 1143, 1227, 1370, 1419].contains(&error.code)
            }
            Err(_) => false,
        };
        if !refused {
            allowed.push(*statement);
        }
    }
    conn.disconnect().await?;
    Ok(allowed)
}

async fn no_user_can_rewrite_money(set: &TestStage) -> anyhow::Result<()> {
    let urls = &set.stage.urls;
    let users = [
        ("core", &urls.core.orders),
        ("sidecar", &urls.sidecar.orders),
        ("operator", &urls.operator.orders),
    ];
    let others = [
        ("sidecar", &THE_SIDECARS[..]),
        ("core", &THE_CORES[..]),
        ("operator", &THE_OPERATORS[..]),
    ];
    for (user, url) in users {
        let may = allowed(url, &FORBIDDEN).await?;
        ensure!(may.is_empty(), "{user} may: {may:#?}");
        for (owner, statements) in others.iter().filter(|(owner, _)| *owner != user) {
            let may = allowed(url, statements).await?;
            ensure!(may.is_empty(), "{user} may what is the {owner}'s: {may:#?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_program_can_hide_or_rewrite_money_on_mariadb() -> anyhow::Result<()> {
    let set = TestStage::up(options()).await?;
    no_user_can_rewrite_money(&set).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_program_can_hide_or_rewrite_money_on_mysql() -> anyhow::Result<()> {
    let Some((_dir, server)) = mysql_server().await? else {
        return Ok(());
    };
    let set = TestStage::up(StageOptions {
        mysql_url: Some(server.url()),
        ..options()
    })
    .await?;
    no_user_can_rewrite_money(&set).await
}
