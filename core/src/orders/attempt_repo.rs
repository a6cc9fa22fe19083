//! All SQL on `attempt`.

use crate::orders::Order;
use mysql_async::prelude::Queryable;
use sluice_contract::sql::{SqlLiteral, pair_list, push_row};
use std::collections::HashSet;

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

/// Finds which of these orders have an attempt that may still pay.
pub async fn live_attempts<'a>(
    conn: &mut impl Queryable,
    orders: impl Iterator<Item = &'a Order> + Clone,
) -> anyhow::Result<HashSet<String>> {
    let pairs = pair_list(orders.map(|o| (o.account_id.as_str(), o.order_id.as_str())));
    let sql =
        format!("SELECT order_id FROM attempt WHERE (account_id,order_id) IN {pairs} AND live=1");
    Ok(conn.query::<String, _>(sql).await?.into_iter().collect())
}
