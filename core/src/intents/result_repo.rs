//! All SQL on `booking_result`, which lies with the balances.

use crate::intents::{BookingIntent, BookingResultRow, StoredResult};
use mysql_async::prelude::Queryable;
use sluice_contract::provenance::OrderSealKey;
use sluice_contract::settings::Secret;
use sluice_contract::sql::{SqlLiteral, pair_list, push_row};

/// Reads the results of these intents as they are now, locked. Comes after the balances
/// and captured payments in the lock order. Whether the core wrote them, their seals tell.
pub async fn lock_steps(
    conn: &mut impl Queryable,
    intents: &[&BookingIntent],
) -> anyhow::Result<Vec<StoredResult>> {
    let sql = format!(
        "SELECT account_id,posting_id,order_id,outcome,mac FROM booking_result WHERE (account_id,posting_id) IN {} \
         ORDER BY account_id,posting_id FOR UPDATE",
        pair_list(intents.iter().map(|i| i.id()))
    );
    type ResultColumns = (String, String, String, String, Option<String>);
    let rows: Vec<ResultColumns> = conn.query(sql).await?;
    let make = |(account_id, posting_id, order_id, outcome, mac)| StoredResult {
        account_id,
        posting_id,
        order_id,
        outcome,
        mac,
    };
    Ok(rows.into_iter().map(make).collect())
}

/// Appends outcomes. New ones are a plain INSERT: a booking that somebody else made
/// meanwhile is refused by the key, and the whole is looked at again.
pub fn push_steps(
    sql: &mut String,
    steps: &[BookingResultRow],
    known: &[BookingResultRow],
    key: &Secret,
    now_us: i64,
) {
    if steps.is_empty() && known.is_empty() {
        return;
    }
    let seals = OrderSealKey::derive(key);
    if !steps.is_empty() {
        push_step_rows(sql, steps, &seals, now_us);
        sql.push(';');
    }
    if !known.is_empty() {
        push_step_rows(sql, known, &seals, now_us);
        sql.push_str(
            " ON DUPLICATE KEY UPDATE order_id=VALUES(order_id),outcome=VALUES(outcome),created_us=VALUES(created_us),mac=VALUES(mac);",
        );
    }
}

fn push_step_rows(sql: &mut String, steps: &[BookingResultRow], seals: &OrderSealKey, now_us: i64) {
    sql.push_str(
        "INSERT INTO booking_result (account_id,posting_id,order_id,outcome,created_us,mac) VALUES ",
    );
    for (at, s) in steps.iter().enumerate() {
        let mac = seals.result(&s.sealed());
        push_row(
            sql,
            at == 0,
            &[
                SqlLiteral::Text(&s.account_id),
                SqlLiteral::Text(&s.posting_id),
                SqlLiteral::Text(&s.order_id),
                SqlLiteral::Text(s.done.as_str()),
                SqlLiteral::Int(now_us),
                SqlLiteral::Text(&mac),
            ],
        );
    }
}
