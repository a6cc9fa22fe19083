//! SQL of every entry with its seal, read page by page.

use crate::audit::sql::account_filter::AccountFilter;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, push_lit};

/// Entries of one statement: some 2 MB.
pub const PAGE_ROWS: usize = 5_000;
/// Entries at either end of the key whose seals' keys are asked for.
const SAMPLED_ROWS: usize = 2_000;

/// Account, posting, line, kind, book, side, amount, currency, reference, time, client, seal.
pub type SealedEntryRow = (
    String,
    String,
    i64,
    String,
    String,
    String,
    Decimal,
    String,
    String,
    i64,
    String,
    String,
);

/// Key of an entry: account, posting, line.
pub type EntryKey = (String, String, i64);

/// Reads the entries behind `after`, in the order of the key: a page of them.
pub async fn page(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
    after: Option<&EntryKey>,
) -> mysql_async::Result<Vec<SealedEntryRow>> {
    let sql = format!(
        "SELECT account_id,posting_id,line,kind,book,side,amount,currency,ref,created_us,client,mac \
         FROM {}.entry FORCE INDEX (PRIMARY) WHERE {}{} ORDER BY account_id,posting_id,line LIMIT {PAGE_ROWS}",
        schemas.ledger,
        which.sql(),
        after.map(behind).unwrap_or_default()
    );
    conn.query(sql).await
}

/// Condition of what comes behind a key, as ranges of the index.
fn behind((account, posting, line): &EntryKey) -> String {
    let literal = |text: &str| {
        let mut sql = String::new();
        push_lit(&mut sql, SqlLiteral::Text(text));
        sql
    };
    let (account, posting) = (literal(account), literal(posting));
    format!(
        " AND (account_id > {account} OR (account_id = {account} AND posting_id > {posting}) \
         OR (account_id = {account} AND posting_id = {posting} AND line > {line}))"
    )
}

/// Tells whether the table has the column of seals: it comes with a migration.
pub async fn has_seals(conn: &mut Conn, schemas: &Schemas) -> mysql_async::Result<bool> {
    let sql = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema=? AND table_name='entry' \
               AND column_name='mac'";
    let columns: Option<i64> = conn.exec_first(sql, (&schemas.ledger,)).await?;
    Ok(columns.unwrap_or(0) > 0)
}

/// Tells whether there is no entry yet, and each that will be written can have a seal.
pub async fn is_empty_with_seals(conn: &mut Conn, schemas: &Schemas) -> mysql_async::Result<bool> {
    let sql = format!("SELECT EXISTS(SELECT 1 FROM {}.entry)", schemas.ledger);
    let has_entries: Option<bool> = conn.query_first(sql).await?;
    Ok(has_entries == Some(false) && has_seals(conn, schemas).await?)
}

/// Seals at both ends of the key, one of each beginning: form and key.
pub async fn sampled_seals(conn: &mut Conn, schemas: &Schemas) -> mysql_async::Result<Vec<String>> {
    let some = |order: &str| {
        format!(
            "(SELECT mac FROM {}.entry FORCE INDEX (PRIMARY) \
             ORDER BY account_id {order},posting_id {order},line {order} LIMIT {SAMPLED_ROWS})",
            schemas.ledger
        )
    };
    let sql = format!(
        "SELECT MIN(mac) FROM ({} UNION ALL {}) AS sampled WHERE mac<>'' GROUP BY SUBSTRING_INDEX(mac,'.',2)",
        some("ASC"),
        some("DESC")
    );
    conn.query(sql).await
}
