//! All SQL on `entry`: only ever INSERT and SELECT.

use crate::ledger::Posting;
use crate::ledger::entry::{Entry, EntryPosition};
use crate::ledger::posting::end_id;
use crate::orders::OrderRef;
use anyhow::Context;
use mysql_async::prelude::Queryable;
use mysql_async::{Row, ServerError, params};
use rust_decimal::Decimal;
use sluice_contract::ids::bucket_of;
use sluice_contract::money::Currency;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{Conn, SqlLiteral, pair_list, push_lit, push_row};
use std::collections::BTreeSet;

pub fn push_inserts(sql: &mut String, schemas: &Schemas, postings: &[Posting], now_us: i64) {
    sql.push_str("INSERT INTO ");
    sql.push_str(&schemas.ledger);
    sql.push_str(
        ".entry (account_id,posting_id,line,kind,book,side,amount,currency,ref,created_us,client) VALUES ",
    );
    let mut first = true;
    for p in postings {
        for (line, (side, book)) in p.lines().into_iter().enumerate() {
            push_row(
                sql,
                first,
                &[
                    SqlLiteral::Text(&p.account_id),
                    SqlLiteral::Text(&p.posting_id),
                    SqlLiteral::Int(line as i64),
                    SqlLiteral::Text(p.kind.as_str()),
                    SqlLiteral::Text(book),
                    SqlLiteral::Text(side.as_str()),
                    SqlLiteral::Dec(p.amount),
                    SqlLiteral::Text(p.currency.code()),
                    SqlLiteral::Text(&p.reference),
                    SqlLiteral::Int(now_us),
                    SqlLiteral::Text(&p.client),
                ],
            );
            first = false;
        }
    }
    sql.push(';');
}

/// Makes the statement that finds which of these orders have their final posting: their
/// money has left, or was given back.
pub fn ended_sql(schemas: &Schemas, orders: &[OrderRef]) -> String {
    let mut sql = format!(
        "SELECT ref FROM {}.entry FORCE INDEX (PRIMARY) WHERE ",
        schemas.ledger
    );
    for (at, order) in orders.iter().enumerate() {
        sql.push_str(if at == 0 { "" } else { " OR " });
        sql.push_str("(line=0 AND account_id=");
        push_lit(&mut sql, SqlLiteral::Text(&order.account_id));
        sql.push_str(" AND posting_id=");
        let posting = end_id(&order.order_id);
        push_lit(&mut sql, SqlLiteral::Text(&posting));
        sql.push(')');
    }
    sql
}

/// Longest wait for the lock of an account's entries, in seconds.
const ENTRIES_LOCK_S: u32 = 2;

/// Makes the statement that locks the end of each account's entries, on a ledger of its own:
/// no balance row is there to be locked, and a time that was read without a lock may be
/// committed behind a later one, which a reader by time would never see. Named locks, by
/// bucket and in order; the session's end frees them too.
pub fn lock_ends_sql(schemas: &Schemas, postings: &[&Posting]) -> String {
    let buckets: BTreeSet<u32> = postings.iter().map(|p| bucket_of(&p.account_id)).collect();
    let locks = buckets
        .into_iter()
        .map(|bucket| format!("GET_LOCK('{}.{bucket}',{ENTRIES_LOCK_S})", schemas.ledger));
    format!("SELECT {}", locks.collect::<Vec<_>>().join(","))
}

/// Insists that every lock of `lock_ends_sql` was got.
///
/// # Errors
/// As the server's for a row's lock that doesn't come.
pub fn insist_on_locks(rows: &[Row]) -> anyhow::Result<()> {
    let is_got = |row: &Row| (0..row.len()).all(|at| row.get(at) == Some(Some(1i64)));
    if !rows.is_empty() && rows.iter().all(is_got) {
        return Ok(());
    }
    Err(mysql_async::Error::Server(ServerError {
        code: 1205,
        message: "the end of an account's entries is locked by another writer".into(),
        state: "HY000".into(),
    })
    .into())
}

/// Frees every lock of `lock_ends_sql`, after the commit.
pub async fn free_ends(conn: &mut Conn) -> anyhow::Result<()> {
    Ok(conn.query_drop("DO RELEASE_ALL_LOCKS()").await?)
}

/// Which entries of an account are read.
#[derive(Debug, Clone)]
pub struct EntryFilter {
    pub account_id: String,
    pub currency: Currency,
    /// One book, or all.
    pub book: Option<String>,
    /// Entries from here on are left out.
    pub until_us: i64,
}

/// Reads at most `max_entries` entries after a position, oldest first.
pub async fn page(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    wanted: &EntryFilter,
    after: &EntryPosition,
    max_entries: usize,
) -> anyhow::Result<Vec<Entry>> {
    // Written out, since servers don't use an index for a comparison of rows.
    let sql = format!(
        "SELECT posting_id,line,kind,book,side,amount,ref,created_us FROM {}.entry FORCE INDEX (by_time) \
         WHERE account_id=:account AND currency=:currency AND created_us>=:at_us AND created_us<:until_us \
         AND (created_us>:at_us OR posting_id>:posting OR (posting_id=:posting AND line>:line)) \
         AND (:book='' OR book=:book) ORDER BY created_us,posting_id,line LIMIT {max_entries}",
        schemas.ledger
    );
    let values = params! {
        "account" => wanted.account_id.as_str(),
        "currency" => wanted.currency.code(),
        "at_us" => after.created_us,
        "until_us" => wanted.until_us,
        "posting" => after.posting_id.as_str(),
        "line" => after.line,
        "book" => wanted.book.as_deref().unwrap_or_default(),
    };
    let rows: Vec<Row> = conn.exec(sql, values).await?;
    rows.into_iter().map(from_row).collect()
}

fn from_row(row: Row) -> anyhow::Result<Entry> {
    type EntryColumns = (String, i64, String, String, String, Decimal, String, i64);
    let stored: EntryColumns = mysql_async::from_row_opt(row).context("entry row")?;
    let (posting_id, line, kind, book, side, amount, reference, created_us) = stored;
    Ok(Entry {
        posting_id,
        line,
        kind,
        book,
        credit: side == "C",
        amount,
        reference,
        created_us,
    })
}

/// A line as it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedLine {
    pub account_id: String,
    pub posting_id: String,
    pub line: i64,
    pub book: String,
    pub side: String,
    pub amount: Decimal,
    pub currency: String,
}

/// Reads the lines of these postings that are booked already.
pub async fn booked(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    postings: &[&Posting],
) -> anyhow::Result<Vec<BookedLine>> {
    let sql = format!(
        "SELECT account_id,posting_id,line,book,side,amount,currency FROM {}.entry \
         WHERE (account_id,posting_id) IN {}",
        schemas.ledger,
        pair_list(
            postings
                .iter()
                .map(|p| (p.account_id.as_str(), p.posting_id.as_str()))
        )
    );
    type LineColumns = (String, String, i64, String, String, Decimal, String);
    let rows: Vec<LineColumns> = conn.query(sql).await?;
    let make = |(account_id, posting_id, line, book, side, amount, currency)| BookedLine {
        account_id,
        posting_id,
        line,
        book,
        side,
        amount,
        currency,
    };
    Ok(rows.into_iter().map(make).collect())
}
