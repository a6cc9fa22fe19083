//! SQL of orders and of the entries of their steps.

use crate::audit::sql::account_filter::AccountFilter;
use crate::audit::sql::checksum_sql::{AccountChecksums, MAX_DETAIL_ROWS, checksum, checksums};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::schema::Schemas;

/// Orders whose money is reserved or gone, that were paid, and that came back.
pub async fn order_checksums(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<AccountChecksums>> {
    let words = "order_id,currency,amount";
    let sql = format!(
        "SELECT account_id,{},{},{},COUNT(*) FROM {}.orders FORCE INDEX (PRIMARY) WHERE {} \
         GROUP BY account_id ORDER BY account_id",
        checksum(words, "state NOT IN ('booking','failed')"),
        checksum(words, "state IN ('success','returned')"),
        checksum(words, "state='returned'"),
        schemas.orders,
        which.sql()
    );
    checksums(conn, sql).await
}

/// What entries say of orders, under the same checksums: reserved and not released,
/// finalized, returned.
pub async fn step_checksums(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<AccountChecksums>> {
    let words = "ref,currency,amount";
    let sql = format!(
        "SELECT account_id,{},{},{},COUNT(*) FROM {}.entry FORCE INDEX (PRIMARY) WHERE {} AND line=0 \
         AND kind IN ('reserve','release','finalize','return') GROUP BY account_id ORDER BY account_id",
        checksum(words, "kind IN ('reserve','release')"),
        checksum(words, "kind='finalize'"),
        checksum(words, "kind='return'"),
        schemas.ledger,
        which.sql()
    );
    checksums(conn, sql).await
}

/// Account, order, kind, state, currency, amount.
pub type AuditOrderRow = (String, String, String, String, String, Decimal);

pub async fn orders(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<AuditOrderRow>> {
    let sql = format!(
        "SELECT account_id,order_id,kind,state,currency,amount FROM {}.orders WHERE {} LIMIT {MAX_DETAIL_ROWS}",
        schemas.orders,
        which.sql()
    );
    conn.query(sql).await
}

/// Account, order, currency; reserved, finalized, released, returned.
pub type OrderStepRow = (String, String, String, Decimal, Decimal, Decimal, Decimal);

pub async fn steps(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<OrderStepRow>> {
    let sum = |kind: &str| format!("SUM(IF(kind='{kind}',amount,0))");
    let sql = format!(
        "SELECT account_id,ref,MIN(currency),{},{},{},{} FROM {}.entry FORCE INDEX (PRIMARY) WHERE {} AND line=0 \
         AND kind IN ('reserve','release','finalize','return') GROUP BY account_id,ref LIMIT {MAX_DETAIL_ROWS}",
        sum("reserve"),
        sum("finalize"),
        sum("release"),
        sum("return"),
        schemas.ledger,
        which.sql()
    );
    conn.query(sql).await
}

/// Accounts among these with a booking that is not made everywhere yet.
pub async fn open_sagas(
    conn: &mut Conn,
    schemas: &Schemas,
    accounts: &[String],
) -> mysql_async::Result<Vec<String>> {
    let sql = format!(
        "SELECT DISTINCT account_id FROM {}.booking_intent WHERE {}",
        schemas.orders,
        AccountFilter::These(accounts).sql()
    );
    conn.query(sql).await
}
