//! All SQL on `cases`.

use crate::cases::{
    AUTOMATIC_CLOSERS, CaseClosing, CaseKind, KINDS_CLOSED_BY_CORE, OrderCase, REOPENED_KINDS,
};
use mysql_async::prelude::Queryable;
use sluice_contract::sql::{SqlLiteral, in_list, pair_list, push_row};
use std::fmt::Write;

/// Appends cases. One that is open stays as it is, and so does one that a person
/// closed: a repeat is no news. What the core closed itself is opened again, and so is an
/// alteration: whoever closed it has not put the row right, or it was changed once more.
pub fn push_cases(sql: &mut String, cases: &[OrderCase], now_us: i64) {
    sql.push_str("INSERT INTO cases (account_id,order_id,kind,detail,state,opened_us) VALUES ");
    for (at, c) in cases.iter().enumerate() {
        push_row(
            sql,
            at == 0,
            &[
                SqlLiteral::Text(&c.account_id),
                SqlLiteral::Text(&c.order_id),
                SqlLiteral::Text(c.kind.as_str()),
                SqlLiteral::Text(&c.detail),
                SqlLiteral::Text("open"),
                SqlLiteral::Int(now_us),
            ],
        );
    }
    // Assignments are made from left to right: the one that decides comes last.
    let again = format!(
        "(closed_by IN {} OR (kind IN {} AND closed_us IS NOT NULL))",
        in_list(AUTOMATIC_CLOSERS.into_iter()),
        in_list(REOPENED_KINDS.iter().map(|k| k.as_str()))
    );
    // Writing into a String can't fail.
    let _ = write!(
        sql,
        " ON DUPLICATE KEY UPDATE state=IF({again},'open',state),\
         opened_us=IF({again},VALUES(opened_us),opened_us),closed_by=IF({again},NULL,closed_by),\
         closed_us=IF(state='open',NULL,closed_us);"
    );
}

/// Orders named in one statement. Beside the kinds, more pairs would outweigh what the
/// optimizer plans ranges for (`optimizer_max_sel_arg_weight`), and it would read all cases.
const MAX_CLOSINGS_PER_STATEMENT: usize = 128;

/// Appends the closing of the cases that the core opened for these orders, which
/// the caller has locked. Contradictions stay: they are a person's.
pub fn push_closings(sql: &mut String, closings: &[CaseClosing], now_us: i64) {
    let kinds = in_list(KINDS_CLOSED_BY_CORE.iter().map(|k| k.as_str()));
    for by in AUTOMATIC_CLOSERS {
        let of: Vec<(&str, &str)> = closings
            .iter()
            .filter(|c| c.by == by)
            .map(|c| (c.account_id.as_str(), c.order_id.as_str()))
            .collect();
        for orders in of.chunks(MAX_CLOSINGS_PER_STATEMENT) {
            let orders = pair_list(orders.iter().copied());
            let _ = write!(
                sql,
                "UPDATE cases SET state='closed',closed_us={now_us},closed_by='{by}' \
                 WHERE (account_id,order_id) IN {orders} AND kind IN {kinds} AND state='open';"
            );
        }
    }
}

/// Finds those of these orders whose channel has said what contradicts them.
pub async fn contradicted<'a>(
    conn: &mut impl Queryable,
    orders: impl Iterator<Item = (&'a str, &'a str)>,
) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "SELECT DISTINCT order_id FROM cases WHERE (account_id,order_id) IN {} AND kind='{}' AND state='open'",
        pair_list(orders),
        CaseKind::Contradiction.as_str()
    );
    Ok(conn.query(sql).await?)
}

/// Counts open cases by kind.
pub async fn count_open(conn: &mut impl Queryable) -> anyhow::Result<Vec<(String, i64)>> {
    Ok(conn
        .query("SELECT kind, COUNT(*) FROM cases WHERE state='open' GROUP BY kind")
        .await?)
}
