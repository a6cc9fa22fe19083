//! Statements of full batches, made by the very functions that the core calls: a stage's
//! short run has no batch of five hundred, and the plan of a list changes with its length.

use crate::plans::judge::{MAX_ROWS_READ, complaint, rows_read};
use mysql_async::Conn;
use sluice_contract::schema::Schemas;
use sluice_core::balance;
use sluice_core::cases::{self, CaseClosing};
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
pub(super) async fn complaints(conn: &mut Conn, schemas: &Schemas) -> anyhow::Result<Vec<String>> {
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
    assert!(MAX_BATCH * 8 <= MAX_ROWS_READ);
    Ok(wrong)
}

fn statements(schemas: &Schemas) -> Vec<String> {
    let closings: Vec<CaseClosing> = (0..MAX_BATCH)
        .map(|n| CaseClosing {
            account_id: account(n),
            order_id: order_id(n),
            by: "channel",
        })
        .collect();
    let mut sql = String::new();
    cases::repo::push_closings(&mut sql, &closings, 1);
    let accounts: BTreeSet<String> = (0..MAX_BATCH).map(account).collect();
    let lock = balance::repo::lock_sql(schemas, accounts.iter().map(String::as_str));
    let parts = sql.split(';').filter(|s| !s.is_empty()).map(str::to_owned);
    parts.chain([lock]).collect()
}
