//! All SQL on `capture`.

use crate::balance::CapturedPayment;
use crate::batch::LockWait;
use anyhow::Context;
use mysql_async::Row;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, in_list, push_row};
use std::collections::{BTreeMap, BTreeSet};

const CAPTURE_COLUMNS: &str =
    "account_id,payment_no,currency,captured,refunded,settled,event_time_us,version,payer";

/// Reads captured payments by account and number and locks them, in the order of
/// the primary key. Comes after the balances in the lock order.
pub async fn lock_captures(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    wanted: &BTreeSet<(&str, &str)>,
    wait: LockWait,
) -> anyhow::Result<Vec<CapturedPayment>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    // One range per account: a list of accounts beside a list of payments would make
    // the server read every payment of an account.
    let mut of_account: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (account, payment) in wanted {
        of_account.entry(account).or_default().push(payment);
    }
    let ranges = of_account.into_iter().map(|(account, payments)| {
        let one = in_list(std::iter::once(account));
        format!(
            "(account_id IN {one} AND payment_no IN {})",
            in_list(payments.into_iter())
        )
    });
    let sql = format!(
        "SELECT {CAPTURE_COLUMNS} FROM {}.capture WHERE {} ORDER BY account_id,payment_no FOR UPDATE",
        schemas.balance,
        ranges.collect::<Vec<_>>().join(" OR ")
    );
    captures_from_rows(conn.query(wait.of(sql)).await?)
}

/// Reads rows of captured payments.
pub fn captures_from_rows(rows: Vec<Row>) -> anyhow::Result<Vec<CapturedPayment>> {
    type CaptureColumns = (
        String,
        String,
        String,
        Decimal,
        Decimal,
        Decimal,
        i64,
        i64,
        Option<String>,
    );
    let make = |row: Row| {
        let stored: CaptureColumns = mysql_async::from_row_opt(row).context("capture row")?;
        let (
            account_id,
            payment_no,
            currency,
            captured,
            refunded,
            settled,
            event_time_us,
            version,
            payer,
        ) = stored;
        let currency = currency
            .parse()
            .with_context(|| format!("capture.currency {currency:?}"))?;
        Ok(CapturedPayment {
            account_id,
            payment_no,
            payer,
            currency,
            captured,
            refunded,
            settled,
            event_time_us,
            version,
        })
    };
    rows.into_iter().map(make).collect()
}

/// Appends captured payments: a new one (version 1) is a plain INSERT, so that a
/// payment that another instance booked meanwhile is refused by its key.
pub fn push_captures(
    sql: &mut String,
    schemas: &Schemas,
    captures: &[&CapturedPayment],
    now_us: i64,
) {
    let (made, known): (Vec<&CapturedPayment>, Vec<&CapturedPayment>) =
        captures.iter().partition(|c| c.version == 1);
    if !made.is_empty() {
        push_capture_rows(sql, schemas, &made, now_us);
        sql.push(';');
    }
    if !known.is_empty() {
        push_capture_rows(sql, schemas, &known, now_us);
        sql.push_str(
            " ON DUPLICATE KEY UPDATE refunded=VALUES(refunded),settled=VALUES(settled),version=VALUES(version),\
             updated_us=VALUES(updated_us);",
        );
    }
}

fn push_capture_rows(
    sql: &mut String,
    schemas: &Schemas,
    captures: &[&CapturedPayment],
    now_us: i64,
) {
    sql.push_str("INSERT INTO ");
    sql.push_str(&schemas.balance);
    sql.push_str(
        ".capture (account_id,payment_no,currency,captured,refunded,settled,event_time_us,version,updated_us,payer) VALUES ",
    );
    for (at, c) in captures.iter().enumerate() {
        push_row(
            sql,
            at == 0,
            &[
                SqlLiteral::Text(&c.account_id),
                SqlLiteral::Text(&c.payment_no),
                SqlLiteral::Text(c.currency.code()),
                SqlLiteral::Dec(c.captured),
                SqlLiteral::Dec(c.refunded),
                SqlLiteral::Dec(c.settled),
                SqlLiteral::Int(c.event_time_us),
                SqlLiteral::Int(c.version),
                SqlLiteral::Int(now_us),
                c.payer.as_deref().into(),
            ],
        );
    }
}
