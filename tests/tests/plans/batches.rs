//! Statements of full batches, made by the very functions that the core calls: a stage's
//! short run has no batch of five hundred, and the plan of a list changes with its length.

use crate::plans::judge::{complaint, counters, rows_read};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sluice_contract::schema::Schemas;
use sluice_contract::sql;
use sluice_core::balance;
use sluice_core::batch::LockWait;
use sluice_core::cases::{self, CaseClosing};
use sluice_core::orders::OrderSeals;
use sluice_core::orders::{OrderRef, repo};
use sluice_core::routing::limits::{self, LimitTimes};
use std::collections::BTreeSet;

/// The most orders of one claim (`dispatch.max_batch`).
const MAX_BATCH: u64 = 512;

fn account(n: u64) -> String {
    format!("P{:05}", n % 5_000)
}

fn order_id(n: u64) -> String {
    format!("01{n:030x}")
}

/// Complaints about them.
pub(super) async fn complaints(
    conn: &mut Conn,
    url: &str,
    schemas: &Schemas,
) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for statement in statements(schemas) {
        wrong.extend(complaint(conn, schemas, &statement).await?);
        // A full batch of look-ups by key reads a few rows an item, whatever lies beside.
        let read = rows_read(conn, &statement).await?;
        let short: String = statement.chars().take(200).collect();
        if read > MAX_BATCH * 8 {
            wrong.push(format!("a full batch reads {read} rows: {short}"));
        }
    }
    let pool = sql::Pool::open(url, &schemas.orders, 1)?;
    wrong.extend(claim_complaints(&mut pool.get_conn().await?).await?);
    Ok(wrong)
}

/// Complaints about what a full claim locks and reads, by the functions that it calls.
async fn claim_complaints(conn: &mut sql::Conn) -> anyhow::Result<Vec<String>> {
    let at: Vec<OrderRef> = (0..MAX_BATCH)
        .map(|n| {
            // As `fill` has them: every other order is the busy account's.
            let account = if n % 2 == 0 {
                "A00001".to_owned()
            } else {
                account(n)
            };
            OrderRef::new(&account, &order_id(n))
        })
        .collect();
    conn.query_drop("START TRANSACTION").await?;
    let begun = counters(conn).await?;
    let orders = repo::lock(conn, at.iter(), LockWait::Usual).await?;
    let locked = counters(conn).await?;
    repo::attempts_of(conn, orders.iter()).await?;
    let looked = counters(conn).await?;
    let times = LimitTimes {
        platform: "20261129120000",
        trade: "20261128120000",
    };
    let key = sluice_contract::settings::Secret::new("plans");
    let seals = OrderSeals::new(&key.into(), &[], 0);
    let wanted = orders.iter().flat_map(|o| limits::keys(o, "psp", times));
    limits::repo::lock_totals(conn, &seals, &wanted.collect(), LockWait::Usual).await?;
    let totals = counters(conn).await?;
    conn.query_drop("ROLLBACK").await?;
    let mut wrong = Vec::new();
    if orders.len() as u64 != MAX_BATCH {
        wrong.push(format!("only {} orders were locked", orders.len()));
    }
    for (what, read) in [
        ("locking the orders", locked - begun),
        ("live attempts", looked - locked),
        ("totals", totals - looked),
    ] {
        if read > MAX_BATCH * 12 {
            wrong.push(format!("{what} of a full claim reads {read} rows"));
        }
    }
    Ok(wrong)
}

fn statements(schemas: &Schemas) -> Vec<String> {
    // One of a kind is planned in a way of its own.
    let closings = [1, 2, MAX_BATCH].map(closings);
    let accounts: BTreeSet<String> = (0..MAX_BATCH).map(account).collect();
    let lock = balance::repo::lock_sql(schemas, accounts.iter().map(String::as_str));
    let parts = closings.iter().flat_map(|sql| sql.split(';'));
    let parts = parts.filter(|s| !s.is_empty()).map(str::to_owned);
    parts.chain([lock]).collect()
}

fn closings(count: u64) -> String {
    let closings: Vec<CaseClosing> = (0..count)
        .map(|n| CaseClosing {
            account_id: account(n),
            order_id: order_id(n),
            by: "channel",
        })
        .collect();
    let mut sql = String::new();
    cases::repo::push_closings(&mut sql, &closings, 1);
    sql
}
