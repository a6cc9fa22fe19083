//! All SQL on `daily_balance`: what books held at the ends of days.

use crate::ledger::ACCOUNT_BOOKS;
use crate::ledger::repo::EntryFilter;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::money::Currency;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, in_list, push_row};
use std::collections::BTreeMap;

/// Amounts that each of an account's books held before a moment, in major units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyBalance {
    pub until_us: i64,
    pub held: BTreeMap<String, Decimal>,
}

impl DailyBalance {
    /// Books of an account before its first entry.
    pub fn nothing() -> Self {
        let none = |book: &&str| ((*book).to_owned(), Decimal::ZERO);
        DailyBalance {
            until_us: 0,
            held: ACCOUNT_BOOKS.iter().map(none).collect(),
        }
    }
}

/// Reads the last stored day of the account that ended at or before `before_us`.
pub async fn last_before(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    account_id: &str,
    currency: Currency,
    before_us: i64,
) -> anyhow::Result<Option<DailyBalance>> {
    let ledger = &schemas.ledger;
    // Every stored day has all books: the first one's key finds it.
    let find = format!(
        "SELECT until_us FROM {ledger}.daily_balance WHERE account_id=? AND currency=? AND book=? AND until_us<=? \
         ORDER BY until_us DESC LIMIT 1"
    );
    let key = (account_id, currency.code(), ACCOUNT_BOOKS[0], before_us);
    let Some(until_us) = conn.exec_first::<i64, _, _>(find, key).await? else {
        return Ok(None);
    };
    let read = format!(
        "SELECT book,held FROM {ledger}.daily_balance WHERE account_id=? AND currency=? AND book IN {} AND until_us=?",
        in_list(ACCOUNT_BOOKS.iter().copied())
    );
    let rows: Vec<(String, Decimal)> = conn
        .exec(read, (account_id, currency.code(), until_us))
        .await?;
    Ok(Some(DailyBalance {
        until_us,
        held: rows.into_iter().collect(),
    }))
}

/// Adds up the entries of each of the account's books from one moment to before another.
pub async fn moved_between(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    account_id: &str,
    currency: Currency,
    from_us: i64,
    until_us: i64,
) -> anyhow::Result<BTreeMap<String, Decimal>> {
    let sql = format!(
        "SELECT book,SUM(IF(side='C',amount,-amount)) FROM {}.entry FORCE INDEX (by_time) \
         WHERE account_id=? AND currency=? AND created_us>=? AND created_us<? AND book IN {} GROUP BY book",
        schemas.ledger,
        in_list(ACCOUNT_BOOKS.iter().copied())
    );
    let rows: Vec<(String, Decimal)> = conn
        .exec(sql, (account_id, currency.code(), from_us, until_us))
        .await?;
    Ok(rows.into_iter().collect())
}

/// Finds when the entry was made that has `number` others before it, counted from a moment.
pub async fn time_of_nth(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    account_id: &str,
    currency: Currency,
    from_us: i64,
    number: usize,
) -> anyhow::Result<Option<i64>> {
    let sql = format!(
        "SELECT created_us FROM {}.entry FORCE INDEX (by_time) WHERE account_id=? AND currency=? AND created_us>=? \
         ORDER BY created_us LIMIT {number},1",
        schemas.ledger
    );
    Ok(conn
        .exec_first(sql, (account_id, currency.code(), from_us))
        .await?)
}

/// Tells what a book held before `before_us`: the last stored day, and the entries since.
/// That is one day's at most once the days are stored; however many before.
pub async fn held_before(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    wanted: &EntryFilter,
    book: &str,
    before_us: i64,
) -> anyhow::Result<Decimal> {
    let (account, currency) = (wanted.account_id.as_str(), wanted.currency);
    let last = last_before(conn, schemas, account, currency, before_us)
        .await?
        .unwrap_or_else(DailyBalance::nothing);
    let since = moved_between(conn, schemas, account, currency, last.until_us, before_us).await?;
    let of = |sums: &BTreeMap<String, Decimal>| sums.get(book).copied().unwrap_or_default();
    Ok(of(&last.held) + of(&since))
}

/// Stores a day; one that is there already is the same.
pub async fn store(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    account_id: &str,
    currency: Currency,
    day: &DailyBalance,
) -> anyhow::Result<()> {
    let mut sql = format!(
        "INSERT IGNORE INTO {}.daily_balance (account_id,currency,book,until_us,held) VALUES ",
        schemas.ledger
    );
    for (at, (book, held)) in day.held.iter().enumerate() {
        push_row(
            &mut sql,
            at == 0,
            &[
                SqlLiteral::Text(account_id),
                SqlLiteral::Text(currency.code()),
                SqlLiteral::Text(book),
                SqlLiteral::Int(day.until_us),
                SqlLiteral::Dec(*held),
            ],
        );
    }
    Ok(conn.query_drop(sql).await?)
}
