//! All SQL on `booking_intent`, which lies with the orders.

pub use crate::intents::result_repo::{lock_steps, push_steps};

use crate::cases::{CaseKind, OrderCase, detail};
use crate::intents::BookingIntent;
use crate::ledger::{Posting, PostingKind};
use crate::metrics::METRICS;
use crate::orders::OrderRef;
use anyhow::Context;
use mysql_async::Row;
use mysql_async::prelude::{FromValue, Queryable};
use sluice_contract::keys::SigningKeys;
use sluice_contract::order::OrderKind;
use sluice_contract::settings::Secret;
use sluice_contract::sql::{SqlLiteral, in_list, pair_list, push_row};
use std::collections::BTreeSet;

/// Others than its writer, who drives it at once, leave an intent alone for this long.
pub const FIRST_DRIVE_DELAY_US: i64 = 5_000_000;
/// Pauses between two drives double this often: 5 s up to 80 s.
const MAX_BACKOFF_DOUBLINGS: u32 = 4;

/// Columns of an intent; the number of drives and the next due time are not part of it.
const INTENT_COLUMNS: &str = "account_id,posting_id,order_id,kind,order_kind,debit_book,\
    credit_book,amount,currency,ref,payment_no,client,idempotency_key,signature,created_us,counterparty,correlation_id,traceparent";

/// Appends intents: a plain INSERT, so that a posting that is open already is refused
/// by its key.
pub fn push_intents(
    sql: &mut String,
    intents: &[BookingIntent],
    key: &Secret,
) -> anyhow::Result<()> {
    sql.push_str("INSERT INTO booking_intent (");
    sql.push_str(INTENT_COLUMNS);
    sql.push_str(",attempts,due_us) VALUES ");
    for (at, i) in intents.iter().enumerate() {
        let (p, proof, counterparty) = (&i.posting, i.proof(key)?, i.stored_counterparty());
        push_row(
            sql,
            at == 0,
            &[
                SqlLiteral::Text(&p.account_id),
                SqlLiteral::Text(&p.posting_id),
                SqlLiteral::Text(&i.order_id),
                SqlLiteral::Text(p.kind.as_str()),
                SqlLiteral::Text(i.kind.as_str()),
                SqlLiteral::Text(&p.debit_book),
                SqlLiteral::Text(&p.credit_book),
                SqlLiteral::Dec(p.amount),
                SqlLiteral::Text(p.currency.code()),
                SqlLiteral::Text(&p.reference),
                i.payment_no.as_deref().into(),
                SqlLiteral::Text(&i.client),
                SqlLiteral::Text(&i.key),
                SqlLiteral::Text(&proof),
                SqlLiteral::Int(i.created_us),
                counterparty.as_deref().into(),
                i.correlation_id.as_deref().into(),
                i.traceparent.as_deref().into(),
                SqlLiteral::Int(0),
                SqlLiteral::Int(i.created_us + FIRST_DRIVE_DELAY_US),
            ],
        );
    }
    sql.push(';');
    Ok(())
}

/// Names exactly these rows, not a later booking's that goes by the same number: pairs of
/// account and id, and order ids.
fn named(intents: &[&BookingIntent]) -> (String, String) {
    (
        pair_list(intents.iter().map(|i| i.id())),
        in_list(intents.iter().map(|i| i.order_id.as_str())),
    )
}

/// Deletes intents that are booked everywhere or refused.
pub fn delete_sql(intents: &[&BookingIntent]) -> String {
    let (pairs, orders) = named(intents);
    format!(
        "DELETE FROM booking_intent WHERE (account_id,posting_id) IN {pairs} AND order_id IN {orders}"
    )
}

/// Finds which of these are still open, locked until the transaction ends: account, id.
pub async fn lock(
    conn: &mut impl Queryable,
    intents: &[&BookingIntent],
) -> anyhow::Result<BTreeSet<(String, String)>> {
    let (pairs, orders) = named(intents);
    let sql = format!(
        "SELECT account_id,posting_id FROM booking_intent WHERE (account_id,posting_id) IN {pairs} AND order_id IN {orders} \
         ORDER BY account_id,posting_id FOR UPDATE"
    );
    let rows: Vec<(String, String)> = conn.query(sql).await?;
    Ok(rows.into_iter().collect())
}

/// Open intents as they were read.
#[derive(Debug, Default)]
pub struct OpenIntents {
    pub genuine: Vec<BookingIntent>,
    /// A case for each row that can't be read: its neighbours go on.
    pub unreadable: Vec<OrderCase>,
    /// Orders with a row that the core did not write.
    pub forged: Vec<String>,
}

impl OpenIntents {
    /// Tells whether nobody can say how far this order's booking is.
    pub fn is_unknown(&self, order_id: &str) -> bool {
        let mut unreadable = self.unreadable.iter().map(|case| &case.order_id);
        unreadable.any(|id| id == order_id) || self.forged.iter().any(|id| id == order_id)
    }
}

/// Reads the open intents of these orders and bookings; forged ones are left out and
/// logged.
///
/// # Errors
/// The server's.
pub async fn of_orders(
    conn: &mut impl Queryable,
    at: &[OrderRef],
    keys: &SigningKeys,
) -> anyhow::Result<OpenIntents> {
    if at.is_empty() {
        return Ok(OpenIntents::default());
    }
    let sql = format!(
        "SELECT {INTENT_COLUMNS} FROM booking_intent WHERE account_id IN {} AND order_id IN {}",
        in_list(at.iter().map(|o| o.account_id.as_str())),
        in_list(at.iter().map(|o| o.order_id.as_str()))
    );
    Ok(sorted(conn.query(sql).await?, keys))
}

/// Reads the open intents under these posting ids: account and id.
pub async fn of_postings(
    conn: &mut impl Queryable,
    ids: &[(&str, &str)],
    keys: &SigningKeys,
) -> anyhow::Result<Vec<BookingIntent>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT {INTENT_COLUMNS} FROM booking_intent WHERE (account_id,posting_id) IN {}",
        pair_list(ids.iter().copied())
    );
    Ok(sorted(conn.query(sql).await?, keys).genuine)
}

/// Parts what the core wrote from what it can't have written, row by row.
fn sorted(rows: Vec<Row>, keys: &SigningKeys) -> OpenIntents {
    let mut open = OpenIntents::default();
    for row in &rows {
        match genuine(row, keys) {
            Ok((intent, true)) => open.genuine.push(intent),
            Ok((intent, false)) => open.forged.push(intent.order_id),
            Err(error) => {
                METRICS.saga.unreadable.inc();
                open.unreadable.push(unreadable(row, &error));
            }
        }
    }
    open
}

/// Reads a row, and tells whether the core wrote it.
fn genuine(row: &Row, keys: &SigningKeys) -> anyhow::Result<(BookingIntent, bool)> {
    let (intent, proof) = from_row(row)?;
    let is_proven = intent.is_proven(keys, &proof)?;
    if is_proven {
        return Ok((intent, true));
    }
    tracing::error!(account = %intent.posting.account_id, saga = %intent.posting.posting_id,
        "an intent that the core did not write: not booked");
    Ok((intent, false))
}

fn unreadable(row: &Row, error: &anyhow::Error) -> OrderCase {
    let text = |name| column::<String>(row, name).unwrap_or_else(|_| "-".into());
    let posting = text("posting_id");
    let (account_id, order_id) = (text("account_id"), text("order_id"));
    tracing::error!(account = %account_id, saga = %posting, "an intent that can't be read: not booked: {error:#}");
    OrderCase {
        account_id,
        order_id,
        kind: CaseKind::Unreadable,
        detail: detail(&format!("the booking {posting} can't be read: {error:#}")),
    }
}

fn column<T: FromValue>(row: &Row, name: &str) -> anyhow::Result<T> {
    row.get_opt(name)
        .with_context(|| format!("booking_intent has no column {name}: migrations are behind"))?
        .map_err(|e| anyhow::anyhow!("booking_intent.{name}: {e}"))
}

fn from_row(row: &Row) -> anyhow::Result<(BookingIntent, String)> {
    let text = |name: &str| column::<String>(row, name);
    let posting = Posting {
        account_id: text("account_id")?,
        posting_id: text("posting_id")?,
        kind: text("kind")?.parse::<PostingKind>()?,
        debit_book: text("debit_book")?,
        credit_book: text("credit_book")?,
        amount: column(row, "amount")?,
        currency: text("currency")?
            .parse()
            .context("booking_intent.currency")?,
        reference: text("ref")?,
        client: text("client")?,
    };
    let stored: Option<String> = column(row, "counterparty")?;
    let unknown_payer_ok = stored.as_deref().is_some_and(|c| c.starts_with('?'));
    let counterparty = stored.map(|c| c.trim_start_matches('?').to_owned());
    let intent = BookingIntent {
        counterparty,
        unknown_payer_ok,
        posting,
        order_id: text("order_id")?,
        kind: text("order_kind")?.parse::<OrderKind>()?,
        payment_no: column(row, "payment_no")?,
        client: text("client")?,
        key: text("idempotency_key")?,
        created_us: column(row, "created_us")?,
        correlation_id: column(row, "correlation_id")?,
        traceparent: column(row, "traceparent")?,
    };
    Ok((intent, text("signature")?))
}

/// Takes due intents of at most `max_orders` orders: whoever moves the due time drives
/// them. Runs in a transaction of the caller.
pub async fn lease(
    conn: &mut impl Queryable,
    now_us: i64,
    max_orders: usize,
) -> anyhow::Result<Vec<OrderRef>> {
    let due = format!(
        "SELECT account_id,posting_id FROM booking_intent WHERE due_us<=? ORDER BY due_us LIMIT {max_orders}"
    );
    let rows: Vec<(String, String)> = conn.exec(due, (now_us,)).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let still = format!(
        "SELECT account_id,posting_id,order_id FROM booking_intent WHERE (account_id,posting_id) IN {} AND due_us<=? \
         ORDER BY account_id,posting_id FOR UPDATE",
        pair_list(
            rows.iter()
                .map(|(account, id)| (account.as_str(), id.as_str()))
        )
    );
    let ours: Vec<(String, String, String)> = conn.exec(still, (now_us,)).await?;
    if ours.is_empty() {
        return Ok(Vec::new());
    }
    // The due time is set by the tries before they are counted up.
    let take = format!(
        "UPDATE booking_intent SET due_us=?+{FIRST_DRIVE_DELAY_US}*(1<<LEAST(attempts,{MAX_BACKOFF_DOUBLINGS})),attempts=attempts+1 \
         WHERE (account_id,posting_id) IN {}",
        pair_list(
            ours.iter()
                .map(|(account, id, _)| (account.as_str(), id.as_str()))
        )
    );
    conn.exec_drop(take, (now_us,)).await?;
    let orders: BTreeSet<OrderRef> = ours
        .iter()
        .map(|(account, _, order)| OrderRef::new(account, order))
        .collect();
    Ok(orders.into_iter().collect())
}

/// Tells whether a booking of the account is open.
pub async fn any_open(conn: &mut impl Queryable, account_id: &str) -> anyhow::Result<bool> {
    let sql = "SELECT 1 FROM booking_intent WHERE account_id=? LIMIT 1";
    let found: Option<i64> = conn.exec_first(sql, (account_id,)).await?;
    Ok(found.is_some())
}

/// Counts open intents, and tells since when the oldest is open.
pub async fn open(conn: &mut impl Queryable) -> anyhow::Result<(i64, Option<i64>)> {
    let row: Option<(i64, Option<i64>)> = conn
        .query_first("SELECT COUNT(*), MIN(created_us) FROM booking_intent")
        .await?;
    Ok(row.unwrap_or((0, None)))
}
