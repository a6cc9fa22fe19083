//! SQL of balances and of what their entries sum up to.

use crate::audit::sql::account_filter::AccountFilter;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::schema::Schemas;

/// Groups of one statement at most: a ledger whose balances are gone must not come
/// into memory at once.
pub const MAX_GROUPS: usize = 100_000;

/// The account that ends a chunk of `most` balances after `after`; `None`: the last.
pub async fn chunk_end(
    conn: &mut Conn,
    schemas: &Schemas,
    after: &str,
    most: u32,
) -> mysql_async::Result<Option<String>> {
    let sql = format!(
        "SELECT account_id FROM {}.balance WHERE {} ORDER BY account_id,currency LIMIT 1 OFFSET {most}",
        schemas.balance,
        AccountFilter::Range(after, None).sql()
    );
    conn.query_first(sql).await
}

/// A balance's row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BalanceRow {
    pub account: String,
    pub currency: String,
    /// balance, available, reserved, intermediate, intermediate_reserved
    pub amounts: [Decimal; 5],
    pub version: i64,
}

pub async fn balances(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<BalanceRow>> {
    let sql = format!(
        "SELECT account_id,currency,balance,available,reserved,intermediate,intermediate_reserved,version \
         FROM {}.balance WHERE {} ORDER BY account_id,currency",
        schemas.balance,
        which.sql()
    );
    type Row = (
        String,
        String,
        Decimal,
        Decimal,
        Decimal,
        Decimal,
        Decimal,
        i64,
    );
    conn.query_map(
        sql,
        |(account, currency, balance, available, reserved, free, held, version): Row| BalanceRow {
            account,
            currency,
            amounts: [balance, available, reserved, free, held],
            version,
        },
    )
    .await
}

/// What the entries say of an account in one currency.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EntrySums {
    pub account: String,
    pub currency: String,
    pub entries: i64,
    /// available, reserved, intermediate, intermediate_reserved
    pub amounts: [Decimal; 4],
}

/// Sums of the account's own books; one scan of the clustered key.
pub async fn entry_sums(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<EntrySums>> {
    let sum = |book: &str| format!("SUM(IF(book='{book}',IF(side='C',amount,-amount),0))");
    let sql = format!(
        "SELECT account_id,currency,COUNT(*),{},{},{},{} FROM {}.entry FORCE INDEX (PRIMARY) WHERE {} \
         GROUP BY account_id,currency ORDER BY account_id,currency LIMIT {MAX_GROUPS}",
        sum("available"),
        sum("reserved"),
        sum("intermediate"),
        sum("intermediate_reserved"),
        schemas.ledger,
        which.sql()
    );
    type Row = (String, String, i64, Decimal, Decimal, Decimal, Decimal);
    conn.query_map(
        sql,
        |(account, currency, entries, available, reserved, free, held): Row| EntrySums {
            account,
            currency,
            entries,
            amounts: [available, reserved, free, held],
        },
    )
    .await
}
