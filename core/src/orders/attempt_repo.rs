//! All SQL on `attempt`.

use crate::orders::Order;
use mysql_async::prelude::Queryable;
use sluice_contract::sql::{SqlLiteral, pair_list, push_row};

/// An attempt at a channel as stored; numbered by the order's `attempts`.
#[derive(Debug, Clone)]
pub struct Attempt<'a> {
    pub order: &'a Order,
    /// The channel of the attempt; the order may have been taken from it meanwhile.
    pub channel: &'a str,
    pub state: &'static str,
    /// May still pay: holds the UNIQUE key `one_live`.
    pub live: bool,
}

fn push_attempt_rows(sql: &mut String, attempts: &[Attempt<'_>]) {
    sql.push_str(
        "INSERT INTO attempt (account_id,order_id,attempt_no,channel,state,live,code,created_us,updated_us) VALUES ",
    );
    for (at, a) in attempts.iter().enumerate() {
        let o = a.order;
        push_row(
            sql,
            at == 0,
            &[
                SqlLiteral::Text(&o.account_id),
                SqlLiteral::Text(&o.order_id),
                SqlLiteral::Int(o.attempts),
                SqlLiteral::Text(a.channel),
                SqlLiteral::Text(a.state),
                if a.live {
                    SqlLiteral::Int(1)
                } else {
                    SqlLiteral::Null
                },
                o.result_code.as_deref().into(),
                SqlLiteral::Int(o.updated_us),
                SqlLiteral::Int(o.updated_us),
            ],
        );
    }
}

/// Appends new attempts: a plain INSERT, so that a second live one is refused by
/// the key and not merged into the first.
pub fn push_new_attempts(sql: &mut String, attempts: &[Attempt<'_>]) {
    push_attempt_rows(sql, attempts);
    sql.push(';');
}

/// Appends changes of attempts that exist; their orders are locked.
pub fn push_attempt_updates(sql: &mut String, attempts: &[Attempt<'_>]) {
    push_attempt_rows(sql, attempts);
    sql.push_str(" ON DUPLICATE KEY UPDATE state=VALUES(state),live=VALUES(live),code=VALUES(code),updated_us=VALUES(updated_us);");
}

/// An attempt as the claim compares it with its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAttempt {
    pub order_id: String,
    pub number: i64,
    pub channel: String,
    /// May still pay.
    pub is_live: bool,
}

/// Reads every attempt of these orders, in order of their numbers.
pub async fn attempts_of<'a>(
    conn: &mut impl Queryable,
    orders: impl Iterator<Item = &'a Order> + Clone,
) -> anyhow::Result<Vec<StoredAttempt>> {
    let pairs = pair_list(orders.map(|o| (o.account_id.as_str(), o.order_id.as_str())));
    let sql = format!(
        "SELECT order_id,attempt_no,channel,live FROM attempt WHERE (account_id,order_id) IN {pairs} \
         ORDER BY account_id,order_id,attempt_no"
    );
    let rows: Vec<(String, i64, String, Option<i64>)> = conn.query(sql).await?;
    let make = |(order_id, number, channel, live)| StoredAttempt {
        order_id,
        number,
        channel,
        is_live: live == Some(1),
    };
    Ok(rows.into_iter().map(make).collect())
}
