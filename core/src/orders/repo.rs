//! All SQL on `orders`, `attempt`, `idempotency` and `outbox`.
//!
//! Lock order, everywhere: orders by order id, then balances by account and
//! currency, then inserts. Whoever keeps it can't deadlock with the others; a
//! deadlock that InnoDB sees all the same is run again.

use crate::orders::{Order, OrderRef};
use anyhow::Context;
use mysql_async::Row;
use mysql_async::prelude::{FromValue, Queryable};
use sluice_contract::order::{OrderKind, OrderState};
use sluice_contract::sql::{SqlLiteral, in_list, pair_list, push_lit, push_row};
use std::collections::{BTreeSet, HashMap, HashSet};

pub const ORDER_COLUMNS: &str = "account_id,order_id,kind,client,transaction_id,biz_no,user_id,to_account,bank,payment_no,\
    amount,currency,state,channel,serial_no,trade_time,route,attempts,queries,result_code,version,due_us,created_us,updated_us,\
    sends,notify_count,notified_version,notified_us,acknowledged_us,has_open_case";

fn column<T: FromValue>(row: &Row, name: &str) -> anyhow::Result<T> {
    row.get_opt(name)
        .with_context(|| format!("orders has no column {name}: migrations are behind"))?
        .map_err(|e| anyhow::anyhow!("orders.{name}: {e}"))
}

pub fn from_row(row: &Row) -> anyhow::Result<Order> {
    let kind: String = column(row, "kind")?;
    let state: String = column(row, "state")?;
    let currency: String = column(row, "currency")?;
    Ok(Order {
        account_id: column(row, "account_id")?,
        order_id: column(row, "order_id")?,
        kind: kind.parse::<OrderKind>()?,
        client: column(row, "client")?,
        transaction_id: column(row, "transaction_id")?,
        biz_no: column(row, "biz_no")?,
        user_id: column(row, "user_id")?,
        to_account: column(row, "to_account")?,
        bank: column(row, "bank")?,
        payment_no: column(row, "payment_no")?,
        amount: column(row, "amount")?,
        currency: currency
            .parse()
            .with_context(|| format!("orders.currency {currency:?}"))?,
        state: state.parse::<OrderState>()?,
        channel: column(row, "channel")?,
        serial_no: column(row, "serial_no")?,
        trade_time: column(row, "trade_time")?,
        route: column(row, "route")?,
        attempts: column(row, "attempts")?,
        queries: column(row, "queries")?,
        result_code: column(row, "result_code")?,
        version: column(row, "version")?,
        due_us: column(row, "due_us")?,
        created_us: column(row, "created_us")?,
        updated_us: column(row, "updated_us")?,
        sends: column(row, "sends")?,
        notify_count: column(row, "notify_count")?,
        notified_version: column(row, "notified_version")?,
        notified_us: column(row, "notified_us")?,
        acknowledged_us: column(row, "acknowledged_us")?,
        has_open_case: column(row, "has_open_case")?,
    })
}

/// Reads orders and locks them until the transaction ends. Takes the connection of
/// an open transaction. The accounts tell a sharded engine where the rows are; the
/// pairs tell one server which rows they are.
pub async fn lock<'a>(
    conn: &mut impl Queryable,
    orders: impl Iterator<Item = &'a OrderRef> + Clone,
) -> anyhow::Result<Vec<Order>> {
    let accounts: BTreeSet<&str> = orders.clone().map(|o| o.account_id.as_str()).collect();
    let sql = format!(
        "SELECT {ORDER_COLUMNS} FROM orders FORCE INDEX (by_order) WHERE account_id IN {} AND ({}) \
         ORDER BY order_id FOR UPDATE",
        in_list(accounts.into_iter()),
        pairs(orders)
    );
    let rows: Vec<Row> = conn.query(sql).await?;
    rows.iter().map(from_row).collect()
}

/// Each order by its own key: two lists side by side would be looked up crosswise, a
/// thousand orders as a million.
fn pairs<'a>(orders: impl Iterator<Item = &'a OrderRef>) -> String {
    let mut sql = String::new();
    for (at, order) in orders.enumerate() {
        sql.push_str(if at == 0 {
            "(order_id="
        } else {
            " OR (order_id="
        });
        push_lit(&mut sql, SqlLiteral::Text(&order.order_id));
        sql.push_str(" AND account_id=");
        push_lit(&mut sql, SqlLiteral::Text(&order.account_id));
        sql.push(')');
    }
    sql
}

pub async fn find(conn: &mut impl Queryable, order_id: &str) -> anyhow::Result<Option<Order>> {
    let sql = format!("SELECT {ORDER_COLUMNS} FROM orders WHERE order_id = ?");
    let row: Option<Row> = conn.exec_first(sql, (order_id,)).await?;
    row.as_ref().map(from_row).transpose()
}

/// Orders that are due to be sent, after a cursor of due time and id. Read from the
/// index alone: one row that can't be read hides no other, and pages cost the same
/// however many wait.
pub async fn due_to_send(
    conn: &mut impl Queryable,
    now_us: i64,
    after: (i64, &str),
    most: usize,
) -> anyhow::Result<Vec<(i64, OrderRef)>> {
    let sql = format!(
        "SELECT due_us,account_id,order_id FROM orders FORCE INDEX (by_state) WHERE state='init' AND due_us <= ? \
         AND due_us >= ? AND (due_us > ? OR order_id > ?) ORDER BY due_us, order_id LIMIT {most}"
    );
    let rows: Vec<(i64, String, String)> =
        conn.exec(sql, (now_us, after.0, after.0, after.1)).await?;
    Ok(rows
        .into_iter()
        .map(|(due, account, order)| (due, OrderRef::new(&account, &order)))
        .collect())
}

/// Appends an INSERT of new orders to a multi-statement text.
pub fn push_inserts(sql: &mut String, orders: &[&Order]) {
    sql.push_str(
        "INSERT INTO orders (account_id,order_id,kind,client,transaction_id,biz_no,user_id,to_account,amount,currency,\
         state,channel,serial_no,attempts,version,due_us,created_us,updated_us,bank,payment_no,notified_us) VALUES ",
    );
    for (at, o) in orders.iter().enumerate() {
        push_row(
            sql,
            at == 0,
            &[
                SqlLiteral::Text(&o.account_id),
                SqlLiteral::Text(&o.order_id),
                SqlLiteral::Text(o.kind.as_str()),
                SqlLiteral::Text(&o.client),
                SqlLiteral::Text(&o.transaction_id),
                o.biz_no.as_deref().into(),
                o.user_id.as_deref().into(),
                SqlLiteral::Text(&o.to_account),
                SqlLiteral::Dec(o.amount),
                SqlLiteral::Text(o.currency.code()),
                SqlLiteral::Text(o.state.as_str()),
                o.channel.as_deref().into(),
                SqlLiteral::Text(&o.serial_no),
                SqlLiteral::Int(o.attempts),
                SqlLiteral::Int(o.version),
                o.due_us.map_or(SqlLiteral::Null, SqlLiteral::Int),
                SqlLiteral::Int(o.created_us),
                SqlLiteral::Int(o.updated_us),
                o.bank.as_deref().into(),
                o.payment_no.as_deref().into(),
                SqlLiteral::Int(o.notified_us),
            ],
        );
    }
    sql.push(';');
}

/// Appends an update of locked orders: every column that may change after
/// acceptance. The rows exist and are locked, so the INSERT half never happens.
pub fn push_updates(sql: &mut String, orders: &[&Order]) {
    sql.push_str(
        "INSERT INTO orders (account_id,order_id,state,channel,trade_time,route,attempts,queries,result_code,version,due_us,updated_us,\
         sends,notify_count,notified_version,notified_us,acknowledged_us,has_open_case) VALUES ",
    );
    for (at, o) in orders.iter().enumerate() {
        push_row(
            sql,
            at == 0,
            &[
                SqlLiteral::Text(&o.account_id),
                SqlLiteral::Text(&o.order_id),
                SqlLiteral::Text(o.state.as_str()),
                o.channel.as_deref().into(),
                o.trade_time.as_deref().into(),
                o.route.as_deref().into(),
                SqlLiteral::Int(o.attempts),
                SqlLiteral::Int(o.queries),
                o.result_code.as_deref().into(),
                SqlLiteral::Int(o.version),
                o.due_us.map_or(SqlLiteral::Null, SqlLiteral::Int),
                SqlLiteral::Int(o.updated_us),
                SqlLiteral::Int(o.sends),
                SqlLiteral::Int(o.notify_count),
                SqlLiteral::Int(o.notified_version),
                SqlLiteral::Int(o.notified_us),
                o.acknowledged_us.map_or(SqlLiteral::Null, SqlLiteral::Int),
                SqlLiteral::Int(o.has_open_case.into()),
            ],
        );
    }
    sql.push_str(
        " ON DUPLICATE KEY UPDATE state=VALUES(state),channel=VALUES(channel),trade_time=VALUES(trade_time),\
         route=VALUES(route),attempts=VALUES(attempts),queries=VALUES(queries),result_code=VALUES(result_code),version=VALUES(version),\
         due_us=VALUES(due_us),updated_us=VALUES(updated_us),sends=VALUES(sends),notify_count=VALUES(notify_count),\
         notified_version=VALUES(notified_version),notified_us=VALUES(notified_us),acknowledged_us=VALUES(acknowledged_us),has_open_case=VALUES(has_open_case);",
    );
}

/// A try at a channel as stored; numbered by the order's `attempts`.
#[derive(Debug, Clone)]
pub struct Attempt<'a> {
    pub order: &'a Order,
    /// Whose try it is; the order may have been taken from that channel meanwhile.
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

/// Which of these orders have an attempt that may still pay.
pub async fn live_attempts<'a>(
    conn: &mut impl Queryable,
    orders: impl Iterator<Item = &'a Order> + Clone,
) -> anyhow::Result<HashSet<String>> {
    let accounts = in_list(orders.clone().map(|o| o.account_id.as_str()));
    let ids = in_list(orders.map(|o| o.order_id.as_str()));
    let sql = format!(
        "SELECT order_id FROM attempt WHERE account_id IN {accounts} AND order_id IN {ids} AND live=1"
    );
    Ok(conn.query::<String, _>(sql).await?.into_iter().collect())
}

/// A caller's key and the order it made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRow {
    pub client: String,
    pub key: String,
    pub request_hash: String,
    pub account_id: String,
    pub order_id: String,
}

pub fn push_keys(sql: &mut String, keys: &[IdempotencyRow], now_us: i64) {
    sql.push_str("INSERT INTO idempotency (client,idempotency_key,request_hash,account_id,order_id,created_us) VALUES ");
    for (at, k) in keys.iter().enumerate() {
        push_row(
            sql,
            at == 0,
            &[
                SqlLiteral::Text(&k.client),
                SqlLiteral::Text(&k.key),
                SqlLiteral::Text(&k.request_hash),
                SqlLiteral::Text(&k.account_id),
                SqlLiteral::Text(&k.order_id),
                SqlLiteral::Int(now_us),
            ],
        );
    }
    sql.push(';');
}

/// Which of these `(client, key)` were used before.
pub async fn find_keys(
    conn: &mut impl Queryable,
    wanted: &[(&str, &str)],
) -> anyhow::Result<HashMap<(String, String), IdempotencyRow>> {
    let mut by_client: HashMap<&str, Vec<&str>> = HashMap::new();
    for (client, key) in wanted {
        by_client.entry(client).or_default().push(key);
    }
    let mut found = HashMap::new();
    for (client, keys) in by_client {
        let sql = format!(
            "SELECT idempotency_key,request_hash,account_id,order_id FROM idempotency WHERE client=? AND idempotency_key IN {}",
            in_list(keys.into_iter())
        );
        let rows: Vec<(String, String, String, String)> = conn.exec(sql, (client,)).await?;
        for (key, request_hash, account_id, order_id) in rows {
            let row = IdempotencyRow {
                client: client.to_owned(),
                key: key.clone(),
                request_hash,
                account_id,
                order_id,
            };
            found.insert((client.to_owned(), key), row);
        }
    }
    Ok(found)
}

/// Appends the deletion of keys whose requests were refused after all: exactly
/// theirs, since each order's id is under one key.
pub fn push_key_deletes(sql: &mut String, keys: &[(&str, &str, &str)]) {
    sql.push_str("DELETE FROM idempotency WHERE (client,idempotency_key) IN ");
    sql.push_str(&pair_list(
        keys.iter().map(|(client, key, _)| (*client, *key)),
    ));
    sql.push_str(" AND order_id IN ");
    sql.push_str(&in_list(keys.iter().map(|(.., order)| *order)));
    sql.push(';');
}

/// Appends the deletion of the outbox row just written: its events are nobody's, and
/// the binlog keeps the proof.
pub fn push_outbox_delete(sql: &mut String, account_id: &str, tx_id: &str) {
    sql.push_str("DELETE FROM outbox WHERE account_id=");
    push_lit(sql, SqlLiteral::Text(account_id));
    sql.push_str(" AND tx_id=");
    push_lit(sql, SqlLiteral::Text(tx_id));
    sql.push(';');
}

/// Appends the signed outbox row of the transaction.
pub fn push_outbox(
    sql: &mut String,
    account_id: &str,
    tx_id: &str,
    signature: &str,
    events: &str,
    now_us: i64,
) {
    sql.push_str("INSERT INTO outbox (account_id,tx_id,signature,events,created_us) VALUES ");
    push_row(
        sql,
        true,
        &[
            SqlLiteral::Text(account_id),
            SqlLiteral::Text(tx_id),
            SqlLiteral::Text(signature),
            SqlLiteral::Text(events),
            SqlLiteral::Int(now_us),
        ],
    );
    sql.push(';');
}

/// One unpublished outbox row.
#[derive(Debug)]
pub struct OutboxRow {
    pub account_id: String,
    pub tx_id: String,
    pub events: String,
    pub created_us: i64,
}

/// The oldest unpublished rows. The table is drained, so its size is the backlog.
pub async fn outbox_page(conn: &mut impl Queryable, most: usize) -> anyhow::Result<Vec<OutboxRow>> {
    let sql = format!(
        "SELECT account_id,tx_id,events,created_us FROM outbox ORDER BY tx_id LIMIT {most}"
    );
    let rows: Vec<(String, String, String, i64)> = conn.query(sql).await?;
    let make = |(account_id, tx_id, events, created_us)| OutboxRow {
        account_id,
        tx_id,
        events,
        created_us,
    };
    Ok(rows.into_iter().map(make).collect())
}

pub async fn outbox_delete(conn: &mut impl Queryable, rows: &[OutboxRow]) -> anyhow::Result<()> {
    let accounts = in_list(rows.iter().map(|r| r.account_id.as_str()));
    let ids = in_list(rows.iter().map(|r| r.tx_id.as_str()));
    conn.query_drop(format!(
        "DELETE FROM outbox WHERE account_id IN {accounts} AND tx_id IN {ids}"
    ))
    .await?;
    Ok(())
}

/// Unfinished orders by state: how many, when the oldest was made, and when the
/// first was due. Read from the index alone; ended orders are not touched, whether
/// their upstreams still have to hear of them or not.
pub async fn unfinished(conn: &mut impl Queryable) -> anyhow::Result<Vec<(String, i64, i64, i64)>> {
    let states = in_list(
        OrderState::ALL
            .iter()
            .filter(|s| !s.is_end())
            .map(|s| s.as_str()),
    );
    let sql = format!(
        "SELECT state, COUNT(*), MIN(created_us), MIN(due_us) FROM orders FORCE INDEX (by_state) \
         WHERE state IN {states} AND due_us > 0 GROUP BY state"
    );
    Ok(conn.query(sql).await?)
}

pub async fn outbox_backlog(conn: &mut impl Queryable) -> anyhow::Result<(i64, Option<i64>)> {
    let row: Option<(i64, Option<i64>)> = conn
        .query_first("SELECT COUNT(*), MIN(created_us) FROM outbox")
        .await?;
    Ok(row.unwrap_or((0, None)))
}
