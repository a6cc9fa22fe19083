//! All SQL on `entry`: only ever INSERT and SELECT.

use crate::batch::LockWait;
use crate::ledger::Posting;
use crate::ledger::entry::{Entry, EntryPosition};
use crate::ledger::posting::end_id;
use crate::orders::OrderRef;
use anyhow::Context;
use mysql_async::prelude::Queryable;
use mysql_async::{Row, ServerError, params};
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use sluice_contract::money::{Currency, column_units};
use sluice_contract::provenance::{OrderSealKey, SealedEntry};
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, pair_list, push_lit, push_row};
use std::collections::BTreeSet;

/// Appends the entries of these postings, each with its seal.
///
/// # Errors
/// An amount with more decimals than its column.
pub fn push_inserts(
    sql: &mut String,
    schemas: &Schemas,
    postings: &[Posting],
    seals: &OrderSealKey,
    now_us: i64,
) -> anyhow::Result<()> {
    sql.push_str("INSERT INTO ");
    sql.push_str(&schemas.ledger);
    sql.push_str(
        ".entry (account_id,posting_id,line,kind,book,side,amount,currency,ref,created_us,client,mac) VALUES ",
    );
    let mut first = true;
    for p in postings {
        let units = column_units(p.amount)
            .with_context(|| format!("{} has more decimals than the column", p.amount))?;
        for (line, (side, book)) in p.lines().into_iter().enumerate() {
            let mac = seals.entry(&SealedEntry {
                account: &p.account_id,
                posting: &p.posting_id,
                line: line as i64,
                kind: p.kind.as_str(),
                book,
                side: side.as_str(),
                units,
                currency: p.currency.code(),
                reference: &p.reference,
                created_us: now_us,
                client: &p.client,
            });
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
                    SqlLiteral::Text(&mac),
                ],
            );
            first = false;
        }
    }
    sql.push(';');
    Ok(())
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

/// Longest wait for the locks of all accounts of a batch together, in seconds.
const ENTRIES_LOCK_S: u32 = 2;
/// Hex digits of an account's hash in its lock's name, which has 64 characters at most.
const LOCK_NAME_DIGITS: usize = 16;

/// Name of the lock of the end of an account's entries.
pub fn end_lock_name(schemas: &Schemas, account_id: &str) -> String {
    let mut hash = hex::encode(Sha256::digest(account_id));
    hash.truncate(LOCK_NAME_DIGITS);
    format!("{}.{hash}", schemas.ledger)
}

/// Makes the statement that locks the end of each account's entries, on a ledger of its own:
/// no balance row is there to be locked, and a time that was read without a lock may be
/// committed behind a later one, which a reader by time would never see. Named locks, of one
/// account each and in order; the session's end frees them too. Batches of different
/// accounts don't meet: those of one process never do. See decision 024.
///
/// The statement's own age is taken off each wait, so that many locks wait no longer than
/// one.
pub fn lock_ends_sql(schemas: &Schemas, postings: &[&Posting], wait: LockWait) -> String {
    let names: BTreeSet<String> = postings
        .iter()
        .map(|p| end_lock_name(schemas, &p.account_id))
        .collect();
    let seconds = match wait {
        LockWait::Usual => {
            format!("GREATEST(0,{ENTRIES_LOCK_S}-TIMESTAMPDIFF(SECOND,NOW(6),SYSDATE(6)))")
        }
        LockWait::SomeTries | LockWait::Never | LockWait::Skip => "0".to_owned(),
    };
    let locks = names
        .into_iter()
        .map(|name| format!("GET_LOCK('{name}',{seconds})"));
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
        "SELECT account_id,posting_id,line,book,side,amount,currency FROM {}.entry FORCE INDEX (PRIMARY) \
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_account_of_a_batch_is_locked_once_in_order_and_a_suspect_waits_for_nobody() {
        let schemas = Schemas::under("sluice").unwrap();
        let amount = Decimal::ONE;
        let posting =
            |account: &str, no: &str| Posting::capture(account, no, amount, "CNY".parse().unwrap());
        let all = [posting("B", "1"), posting("A", "2"), posting("B", "3")];
        let all: Vec<&Posting> = all.iter().collect();
        let usual = lock_ends_sql(&schemas, &all, LockWait::Usual);
        let at = |account: &str| usual.find(&end_lock_name(&schemas, account)).unwrap();
        let is_first = end_lock_name(&schemas, "A") < end_lock_name(&schemas, "B");
        assert_eq!(at("A") < at("B"), is_first, "{usual}");
        assert_eq!(usual.matches("GET_LOCK").count(), 2, "{usual}");
        assert_eq!(usual.matches("SYSDATE").count(), 2, "a wait of its own");
        let never = lock_ends_sql(&schemas, &all[..1], LockWait::Never);
        let name = end_lock_name(&schemas, "B");
        assert_eq!(never, format!("SELECT GET_LOCK('{name}',0)"));
    }
}
