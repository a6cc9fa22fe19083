//! Judging one statement: the key that the server says it uses, and the rows that it
//! really reads.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use sluice_contract::schema::Schemas;

/// Tables of the money path that grow, and the keys by which they may be read. A statement on
/// a table that is neither here nor small is not known, and fails.
const GROWING_TABLES: [(&str, &[&str]); 21] = [
    (
        "orders",
        &[
            "PRIMARY",
            "by_order",
            "by_state",
            "by_channel",
            "by_client",
            "by_transaction",
            "by_biz",
        ],
    ),
    ("attempt", &["PRIMARY", "one_live"]),
    ("order_transition", &["PRIMARY"]),
    ("idempotency", &["PRIMARY"]),
    ("outbox", &["PRIMARY", "by_tx"]),
    ("outbox_archive", &["PRIMARY", "by_age"]),
    ("cases", &["PRIMARY", "by_state"]),
    ("booking_intent", &["PRIMARY", "by_due"]),
    ("booking_result", &["PRIMARY"]),
    ("limit_total", &["PRIMARY"]),
    ("limit_client_hour", &["PRIMARY"]),
    ("quarantined_payment", &["PRIMARY"]),
    ("request_nonce", &["PRIMARY", "by_expiry"]),
    ("balance", &["PRIMARY"]),
    ("capture", &["PRIMARY"]),
    ("entry", &["PRIMARY", "by_time"]),
    ("daily_balance", &["PRIMARY"]),
    ("breaker", &["PRIMARY", "by_state_alone"]),
    // The same beside its seal, see `guard::breakers::read_sealed`.
    ("b", &["by_state_alone"]),
    ("verdict", &["PRIMARY", "by_time"]),
    ("fence_token", &["PRIMARY"]),
];

/// Tables that stay small by nature: read as a whole, they cost nothing.
const SMALL_TABLES: [&str; 14] = [
    "s",
    "breaker_seal",
    "lease",
    "expected_store",
    "store_identity",
    "retention_cursor",
    "fence_token",
    "route_version",
    "route_active",
    "route_activation",
    "route_channel",
    "route_rule",
    "route_detail",
    "route_limit",
];

/// Rows that a statement may read beside a long history: the largest page is 2,000, and
/// counting what waits reads what waits, see `fill`.
pub(super) const MAX_ROWS_READ: u64 = 5_000;

/// Says what is wrong with the statement, if anything is.
pub(super) async fn complaint(
    conn: &mut Conn,
    schemas: &Schemas,
    statement: &str,
) -> anyhow::Result<Option<String>> {
    let short: String = statement.chars().take(300).collect();
    let plan: Vec<Row> = match conn.query(format!("EXPLAIN {statement}")).await {
        Ok(plan) => plan,
        Err(error) => return Ok(Some(format!("can't be explained ({error}): {short}"))),
    };
    for row in &plan {
        if let Some(why) = key_complaint(row) {
            return Ok(Some(format!("{why}: {short}")));
        }
    }
    let read = match rows_read(conn, statement).await {
        Ok(read) => read,
        Err(error) => return Ok(Some(format!("can't be run again ({error:#}): {short}"))),
    };
    let _ = schemas;
    Ok((read > MAX_ROWS_READ).then(|| format!("reads {read} rows: {short}")))
}

fn key_complaint(row: &Row) -> Option<String> {
    let text = |name: &str| row.get::<Option<String>, _>(name).flatten();
    // Nothing is read: no table, or a condition that nothing meets.
    let table = text("table").filter(|t| !t.starts_with('<'))?;
    if SMALL_TABLES.contains(&table.as_str()) {
        return None;
    }
    let Some((_, keys)) = GROWING_TABLES.iter().find(|(name, _)| *name == table) else {
        return Some(format!("table {table} is not known"));
    };
    let kind = text("type").unwrap_or_default();
    match text("key") {
        None => Some(format!("{table} is read without a key ({kind})")),
        Some(key) if !key.split(',').all(|k| keys.contains(&k)) => {
            Some(format!("{table} is read by {key}, not by {keys:?}"))
        }
        Some(_) => None,
    }
}

/// Sum of the session's counters of row reads.
pub(super) async fn counters(conn: &mut impl Queryable) -> anyhow::Result<u64> {
    let rows: Vec<(String, String)> = conn
        .query("SHOW SESSION STATUS LIKE 'Handler_read%'")
        .await?;
    Ok(rows.iter().filter_map(|(_, n)| n.parse::<u64>().ok()).sum())
}

/// Runs the statement, undoes it, and tells how many rows it read.
pub(super) async fn rows_read(conn: &mut Conn, statement: &str) -> anyhow::Result<u64> {
    conn.query_drop("START TRANSACTION").await?;
    let (noise, before) = (counters(conn).await?, counters(conn).await?);
    let ran = conn.query_drop(statement).await;
    let after = counters(conn).await?;
    conn.query_drop("ROLLBACK").await?;
    ran?;
    // Looking reads a few rows of its own each time.
    Ok((after - before).saturating_sub(before - noise))
}
