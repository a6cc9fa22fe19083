//! Captured payments against the orders that took from them. The two may be on
//! servers of their own, so each is read by itself and compared here.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::schema::Schemas;
use std::collections::BTreeMap;

/// Orders that have taken money and neither failed nor came back.
const TAKING_STATES_SQL: &str = "state NOT IN ('failed','returned','booking')";

/// By account and payment, or account and currency: two sums.
type SumPairs = BTreeMap<(String, String), (Decimal, Decimal)>;

async fn pairs(conn: &mut Conn, sql: String) -> anyhow::Result<SumPairs> {
    let rows: Vec<(String, String, Decimal, Decimal)> = conn.query(sql).await?;
    Ok(rows
        .into_iter()
        .map(|(account, of, one, two)| ((account, of), (one, two)))
        .collect())
}

/// Payments that are exceeded or are not the sums of their orders, and intermediate
/// accounts that are not what was captured less what orders took.
pub async fn off(
    balance: &mut Conn,
    orders: &mut Conn,
    schemas: &Schemas,
) -> anyhow::Result<Vec<String>> {
    let mut found = exceeded(balance, schemas).await?;
    let parts = format!(
        "SELECT account_id,payment_no,refunded,settled FROM {}.capture",
        schemas.balance
    );
    let taken = format!(
        "SELECT account_id,payment_no,SUM(IF(kind='refund',amount,0)),SUM(IF(kind='settlement',amount,0)) \
         FROM {}.orders WHERE payment_no IS NOT NULL AND {TAKING_STATES_SQL} GROUP BY account_id,payment_no",
        schemas.orders
    );
    let (parts, mut taken) = (pairs(balance, parts).await?, pairs(orders, taken).await?);
    for (key, has) in parts {
        let say = taken.remove(&key).unwrap_or_default();
        if has != say {
            found.push(format!(
                "{} {} refunded and settled {has:?}, orders say {say:?}",
                key.0, key.1
            ));
        }
    }
    found.extend(
        taken
            .into_keys()
            .map(|key| format!("{} {} was taken from, never captured", key.0, key.1)),
    );
    found.extend(intermediate(balance, orders, schemas).await?);
    Ok(found)
}

async fn exceeded(balance: &mut Conn, schemas: &Schemas) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "SELECT CONCAT(account_id,' ',payment_no,' captured ',captured,', refunded ',refunded,', settled ',settled) \
         FROM {}.capture WHERE refunded<0 OR settled<0 OR refunded+settled>captured",
        schemas.balance
    );
    Ok(balance.query(sql).await?)
}

async fn intermediate(
    balance: &mut Conn,
    orders: &mut Conn,
    schemas: &Schemas,
) -> anyhow::Result<Vec<String>> {
    let sums = |sql: &str, schema: &str| sql.replace("SCHEMA", schema);
    let rows = sums(
        "SELECT account_id,currency,intermediate,intermediate_reserved FROM SCHEMA.balance",
        &schemas.balance,
    );
    let captured = sums(
        "SELECT account_id,currency,SUM(captured),0.0 FROM SCHEMA.capture GROUP BY 1,2",
        &schemas.balance,
    );
    let taken = format!(
        "SELECT account_id,currency,SUM(amount),SUM(IF(state='success',0,amount)) \
         FROM {}.orders WHERE kind<>'cash_out' AND {TAKING_STATES_SQL} GROUP BY account_id,currency",
        schemas.orders
    );
    let (rows, captured) = (pairs(balance, rows).await?, pairs(balance, captured).await?);
    let taken = pairs(orders, taken).await?;
    let mut found = Vec::new();
    for (key, (free, held)) in rows {
        let came = captured.get(&key).map_or(Decimal::ZERO, |c| c.0);
        let (took, holding) = taken.get(&key).copied().unwrap_or_default();
        if free != came - took || held != holding {
            found.push(format!(
                "{} {} intermediate {free}+{held}, captured {came}, taken {took}",
                key.0, key.1
            ));
        }
    }
    Ok(found)
}
