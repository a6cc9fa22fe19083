//! SQL of the orders desk: look-ups by every id that anybody may hold, and all rows
//! that tell of one order. Only ever SELECT. Each look-up goes through one index.

use crate::orders::repo::{ORDER_COLUMNS, from_row};
use crate::orders::{Order, OrderRef};
use mysql_async::Row;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::order::OrderState;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::in_list;

/// The ids under which an order may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupKey<'a> {
    Transaction(&'a str),
    /// The upstream's own number.
    Biz(&'a str),
    /// An idempotent key, of one of these clients.
    Key(&'a [&'a str], &'a str),
}

/// Ids of the orders found, at most `most`.
pub async fn ids(
    conn: &mut impl Queryable,
    by: LookupKey<'_>,
    most: usize,
) -> anyhow::Result<Vec<String>> {
    let one = |id: &str| in_list([id].into_iter());
    let sql = match by {
        LookupKey::Transaction(id) => format!(
            "SELECT order_id FROM orders WHERE transaction_id IN {} LIMIT {most}",
            one(id)
        ),
        LookupKey::Biz(id) => format!(
            "SELECT order_id FROM orders WHERE biz_no IN {} LIMIT {most}",
            one(id)
        ),
        LookupKey::Key(clients, key) => format!(
            "SELECT order_id FROM idempotency WHERE client IN {} AND idempotency_key IN {} LIMIT {most}",
            in_list(clients.iter().copied()),
            one(key)
        ),
    };
    Ok(conn.query(sql).await?)
}

/// Orders by their ids, oldest first.
pub async fn load(conn: &mut impl Queryable, ids: &[String]) -> anyhow::Result<Vec<Order>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids = in_list(ids.iter().map(String::as_str));
    let sql = format!(
        "SELECT {ORDER_COLUMNS} FROM orders FORCE INDEX (by_order) WHERE order_id IN {ids} ORDER BY order_id"
    );
    let rows: Vec<Row> = conn.query(sql).await?;
    rows.iter().map(from_row).collect()
}

/// One page of a client's orders, oldest first, after an order's id.
pub async fn of_client(
    conn: &mut impl Queryable,
    client: &str,
    after: &str,
    most: usize,
) -> anyhow::Result<Vec<Order>> {
    let sql = format!(
        "SELECT {ORDER_COLUMNS} FROM orders FORCE INDEX (by_client) WHERE client=? AND order_id>? ORDER BY order_id LIMIT {most}"
    );
    let rows: Vec<Row> = conn.exec(sql, (client, after)).await?;
    rows.iter().map(from_row).collect()
}

/// Orders that have not ended and were made before `before_us`, oldest first.
pub async fn unfinished(
    conn: &mut impl Queryable,
    before_us: i64,
    most: usize,
) -> anyhow::Result<Vec<Order>> {
    let states = OrderState::ALL
        .iter()
        .filter(|s| !s.is_end())
        .map(|s| s.as_str());
    let sql = format!(
        "SELECT order_id FROM orders FORCE INDEX (by_state) WHERE state IN {} AND due_us > 0 AND created_us < ? \
         ORDER BY created_us LIMIT {most}",
        in_list(states)
    );
    let ids: Vec<String> = conn.exec(sql, (before_us,)).await?;
    load(conn, &ids).await
}

/// Ended orders told before `before_us` whose upstream has not confirmed the end.
pub async fn unacknowledged(
    conn: &mut impl Queryable,
    before_us: i64,
    most: usize,
) -> anyhow::Result<Vec<Order>> {
    let sql = format!(
        "SELECT order_id FROM orders FORCE INDEX (by_state) WHERE state IN ('success','failed','returned') \
         AND due_us > 0 AND notified_us < ? ORDER BY notified_us LIMIT {most}"
    );
    let ids: Vec<String> = conn.exec(sql, (before_us,)).await?;
    load(conn, &ids).await
}

/// One row of `order_transition`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitionRow {
    pub version: i64,
    pub event: String,
    pub from: String,
    pub to: String,
    pub channel: Option<String>,
    pub code: Option<String>,
    pub at_us: i64,
}

pub async fn moves(conn: &mut impl Queryable, at: &OrderRef) -> anyhow::Result<Vec<TransitionRow>> {
    let sql = "SELECT version,event,from_state,to_state,channel,code,at_us FROM order_transition \
               WHERE account_id=? AND order_id=? ORDER BY version";
    type Stored = (
        i64,
        String,
        String,
        String,
        Option<String>,
        Option<String>,
        i64,
    );
    let rows: Vec<Stored> = conn.exec(sql, (&at.account_id, &at.order_id)).await?;
    let make = |(version, event, from, to, channel, code, at_us)| TransitionRow {
        version,
        event,
        from,
        to,
        channel,
        code,
        at_us,
    };
    Ok(rows.into_iter().map(make).collect())
}

/// One row of `attempt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    pub number: i64,
    pub channel: String,
    pub state: String,
    /// May still pay.
    pub live: bool,
    pub code: Option<String>,
    pub created_us: i64,
    pub updated_us: i64,
}

pub async fn attempts(conn: &mut impl Queryable, at: &OrderRef) -> anyhow::Result<Vec<AttemptRow>> {
    let sql = "SELECT attempt_no,channel,state,live,code,created_us,updated_us FROM attempt \
               WHERE account_id=? AND order_id=? ORDER BY attempt_no";
    type Stored = (i64, String, String, Option<i64>, Option<String>, i64, i64);
    let rows: Vec<Stored> = conn.exec(sql, (&at.account_id, &at.order_id)).await?;
    let make = |(number, channel, state, live, code, created_us, updated_us): Stored| AttemptRow {
        number,
        channel,
        state,
        live: live.is_some(),
        code,
        created_us,
        updated_us,
    };
    Ok(rows.into_iter().map(make).collect())
}

/// A posting of the order: one amount from the debited to the credited book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPostingRow {
    pub posting_id: String,
    pub kind: String,
    pub debit: String,
    pub credit: String,
    pub amount: Decimal,
    pub currency: String,
    pub at_us: i64,
}

/// Takes a connection to the ledger. Posting ids derive from the order's.
pub async fn postings(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    at: &OrderRef,
) -> anyhow::Result<Vec<OrderPostingRow>> {
    let ids = ["reserve", "end", "return"].map(|step| format!("{}-{step}", at.order_id));
    let sql = format!(
        "SELECT posting_id,kind,side,book,amount,currency,created_us FROM {}.entry \
         WHERE account_id=? AND posting_id IN {} ORDER BY created_us,posting_id,line",
        schemas.ledger,
        in_list(ids.iter().map(String::as_str))
    );
    type Stored = (String, String, String, String, Decimal, String, i64);
    let rows: Vec<Stored> = conn.exec(sql, (&at.account_id,)).await?;
    let mut all: Vec<OrderPostingRow> = Vec::new();
    for (posting_id, kind, side, book, amount, currency, at_us) in rows {
        if all.last().is_none_or(|p| p.posting_id != posting_id) {
            let (debit, credit) = (String::new(), String::new());
            all.push(OrderPostingRow {
                posting_id,
                kind,
                debit,
                credit,
                amount,
                currency,
                at_us,
            });
        }
        if let Some(posting) = all.last_mut() {
            *if side == "D" {
                &mut posting.debit
            } else {
                &mut posting.credit
            } = book;
        }
    }
    Ok(all)
}

/// One row of `cases`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRow {
    pub order_id: String,
    pub kind: String,
    pub detail: String,
    pub state: String,
    pub opened_us: i64,
    pub closed_us: Option<i64>,
    pub closed_by: Option<String>,
    pub note: Option<String>,
}

/// The cases of these orders, oldest first.
pub async fn cases(conn: &mut impl Queryable, orders: &[OrderRef]) -> anyhow::Result<Vec<CaseRow>> {
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT order_id,kind,detail,state,opened_us,closed_us,closed_by,note FROM cases \
         WHERE account_id IN {} AND order_id IN {} ORDER BY opened_us",
        in_list(orders.iter().map(|o| o.account_id.as_str())),
        in_list(orders.iter().map(|o| o.order_id.as_str()))
    );
    type Stored = (
        String,
        String,
        String,
        String,
        i64,
        Option<i64>,
        Option<String>,
        Option<String>,
    );
    let rows: Vec<Stored> = conn.query(sql).await?;
    let make =
        |(order_id, kind, detail, state, opened_us, closed_us, closed_by, note): Stored| CaseRow {
            order_id,
            kind,
            detail,
            state,
            opened_us,
            closed_us,
            closed_by,
            note,
        };
    Ok(rows.into_iter().map(make).collect())
}

/// When the oldest event that still waits in the outbox was written.
pub async fn oldest_unpublished(conn: &mut impl Queryable) -> anyhow::Result<Option<i64>> {
    Ok(conn
        .query_first("SELECT created_us FROM outbox ORDER BY tx_id LIMIT 1")
        .await?)
}
