//! All SQL on `balance`.

pub use crate::balance::capture_repo::{captures_from_rows, lock_captures, push_captures};

use crate::balance::Balance;
use anyhow::Context;
use mysql_async::Row;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::money::Currency;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, in_list, push_row};

const BALANCE_COLUMNS: &str =
    "account_id,currency,available,reserved,intermediate,intermediate_reserved,version";

/// Makes the statement that reads all balances of these accounts and locks them, in
/// the order of the primary key.
pub fn lock_sql<'a>(schemas: &Schemas, accounts: impl Iterator<Item = &'a str>) -> String {
    format!(
        "SELECT {BALANCE_COLUMNS} FROM {}.balance WHERE account_id IN {} ORDER BY account_id,currency FOR UPDATE",
        schemas.balance,
        in_list(accounts)
    )
}

/// Reads rows of every currency of an account, as `lock_sql` gives them. A row in a
/// currency that this build doesn't know is left out: a newer core made it, and no request
/// that was read here can be about it.
pub fn from_locked_rows(mut rows: Vec<Row>) -> anyhow::Result<Vec<Balance>> {
    let is_known = |row: &Row| {
        let code: Option<String> = row.get_opt("currency").and_then(Result::ok);
        code.is_none_or(|code| code.parse::<Currency>().is_ok())
    };
    rows.retain(is_known);
    from_rows(rows)
}

/// Reads whole rows.
///
/// # Errors
/// One that can't be read.
pub fn from_rows(rows: Vec<Row>) -> anyhow::Result<Vec<Balance>> {
    rows.into_iter()
        .map(|row| {
            type BalanceColumns = (String, String, Decimal, Decimal, Decimal, Decimal, i64);
            let stored: BalanceColumns = mysql_async::from_row_opt(row).context("balance row")?;
            let (
                account_id,
                currency,
                available,
                reserved,
                intermediate,
                intermediate_reserved,
                version,
            ) = stored;
            let currency = currency
                .parse()
                .with_context(|| format!("balance.currency {currency:?}"))?;
            Ok(Balance {
                account_id,
                currency,
                available,
                reserved,
                intermediate,
                intermediate_reserved,
                version,
            })
        })
        .collect()
}

/// Pages through all balances behind an account and currency: account, currency, and when
/// each last moved.
pub async fn page(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    after: &(String, String),
    max_rows: usize,
) -> anyhow::Result<Vec<(String, String, i64)>> {
    let sql = format!(
        "SELECT account_id,currency,updated_us FROM {}.balance WHERE account_id>=? AND (account_id>? OR currency>?) \
         ORDER BY account_id,currency LIMIT {max_rows}",
        schemas.balance
    );
    Ok(conn.exec(sql, (&after.0, &after.0, &after.1)).await?)
}

/// Reads the balances of these accounts, without locks.
pub async fn of_accounts<'a>(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    accounts: impl IntoIterator<Item = &'a str>,
) -> anyhow::Result<Vec<Balance>> {
    let sql = format!(
        "SELECT {BALANCE_COLUMNS} FROM {}.balance WHERE account_id IN {}",
        schemas.balance,
        in_list(accounts.into_iter())
    );
    from_locked_rows(conn.query(sql).await?)
}

/// Reads an account's balances, by currency.
pub async fn of_account(
    conn: &mut impl Queryable,
    schemas: &Schemas,
    account_id: &str,
) -> anyhow::Result<Vec<Balance>> {
    let sql = format!(
        "SELECT {BALANCE_COLUMNS} FROM {}.balance WHERE account_id=? ORDER BY currency",
        schemas.balance
    );
    from_locked_rows(conn.exec(sql, (account_id,)).await?)
}

/// Appends new values of balances. Existing rows are locked by this transaction,
/// so the values read are the values replaced. A row that this transaction opens
/// (version 1) is a plain INSERT: if another instance opened it meanwhile, the
/// duplicate key makes the batch run again instead of overwriting money.
pub fn push_updates(sql: &mut String, schemas: &Schemas, balances: &[&Balance], now_us: i64) {
    let (opened, known): (Vec<&Balance>, Vec<&Balance>) =
        balances.iter().partition(|b| b.version == 1);
    if !opened.is_empty() {
        push_insert(sql, schemas, &opened, now_us);
        sql.push(';');
    }
    if !known.is_empty() {
        push_insert(sql, schemas, &known, now_us);
        sql.push_str(
            " ON DUPLICATE KEY UPDATE balance=VALUES(balance),available=VALUES(available),reserved=VALUES(reserved),\
             intermediate=VALUES(intermediate),intermediate_reserved=VALUES(intermediate_reserved),version=VALUES(version),updated_us=VALUES(updated_us);",
        );
    }
}

fn push_insert(sql: &mut String, schemas: &Schemas, balances: &[&Balance], now_us: i64) {
    sql.push_str("INSERT INTO ");
    sql.push_str(&schemas.balance);
    sql.push_str(".balance (account_id,currency,balance,available,reserved,intermediate,intermediate_reserved,version,updated_us) VALUES ");
    for (at, b) in balances.iter().enumerate() {
        push_row(
            sql,
            at == 0,
            &[
                SqlLiteral::Text(&b.account_id),
                SqlLiteral::Text(b.currency.code()),
                SqlLiteral::Dec(b.total()),
                SqlLiteral::Dec(b.available),
                SqlLiteral::Dec(b.reserved),
                SqlLiteral::Dec(b.intermediate),
                SqlLiteral::Dec(b.intermediate_reserved),
                SqlLiteral::Int(b.version),
                SqlLiteral::Int(now_us),
            ],
        );
    }
}
