//! SQL of captured payments, from three sides: as captured, as taken by orders, as booked.

use crate::audit::sql::account_filter::AccountFilter;
use crate::audit::sql::checksum_sql::{AccountChecksums, MAX_DETAIL_ROWS, checksum, checksums};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::schema::Schemas;

/// Captured payments: as captured, as taken from, and how many are exceeded.
pub async fn capture_checksums(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<AccountChecksums>> {
    let sql = format!(
        "SELECT account_id,{},{},CAST(SUM(refunded<0 OR settled<0 OR refunded+settled>captured) AS UNSIGNED),COUNT(*) \
         FROM {}.capture WHERE {} GROUP BY account_id ORDER BY account_id",
        checksum("payment_no,currency,captured", "TRUE"),
        checksum("payment_no,refunded,settled", "refunded<>0 OR settled<>0"),
        schemas.balance,
        which.sql()
    );
    checksums(conn, sql).await
}

/// What orders took from payments, under the second checksum of `capture_checksums`.
pub async fn taken_checksums(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<AccountChecksums>> {
    let sql = format!(
        "SELECT account_id,0,{},0,COUNT(*) FROM ({}) taken GROUP BY account_id ORDER BY account_id",
        checksum("payment_no,refunded,settled", "refunded<>0 OR settled<>0"),
        taken(schemas, which, "")
    );
    checksums(conn, sql).await
}

/// What orders took of each payment and neither gave back nor failed to take.
fn taken(schemas: &Schemas, which: AccountFilter<'_>, end: &str) -> String {
    format!(
        "SELECT account_id,payment_no,MIN(currency) currency,SUM(IF(kind='refund',amount,0)) refunded,\
         SUM(IF(kind='settlement',amount,0)) settled FROM {}.orders FORCE INDEX (PRIMARY) WHERE {} \
         AND payment_no IS NOT NULL AND state NOT IN ('booking','failed','returned') GROUP BY account_id,payment_no{end}",
        schemas.orders,
        which.sql()
    )
}

/// What entries say was captured, under the first checksum of `capture_checksums`.
pub async fn captured_checksums(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<AccountChecksums>> {
    let sql = format!(
        "SELECT account_id,{},0,0,COUNT(*) FROM {}.entry FORCE INDEX (PRIMARY) WHERE {} AND kind='capture' \
         GROUP BY account_id ORDER BY account_id",
        checksum("ref,currency,amount", "book='intermediate' AND side='C'"),
        schemas.ledger,
        which.sql()
    );
    checksums(conn, sql).await
}

/// Account, payment, currency and three amounts, of which some may be zero.
pub type PaymentRow = (String, String, String, Decimal, Decimal, Decimal);

/// Rows of `capture`: captured, refunded, settled.
pub async fn captures(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<PaymentRow>> {
    let sql = format!(
        "SELECT account_id,payment_no,currency,captured,refunded,settled FROM {}.capture WHERE {} LIMIT {MAX_DETAIL_ROWS}",
        schemas.balance,
        which.sql()
    );
    conn.query(sql).await
}

/// What orders took: 0, refunded, settled.
pub async fn taken_of(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<PaymentRow>> {
    let rows = taken(schemas, which, &format!(" LIMIT {MAX_DETAIL_ROWS}"));
    let sql =
        format!("SELECT account_id,payment_no,currency,0.0,refunded,settled FROM ({rows}) taken");
    conn.query(sql).await
}

/// What entries say was captured: amount, 0, 0.
pub async fn captured_of(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<PaymentRow>> {
    let sql = format!(
        "SELECT account_id,ref,MIN(currency),SUM(amount),0.0,0.0 FROM {}.entry FORCE INDEX (PRIMARY) WHERE {} \
         AND kind='capture' AND book='intermediate' AND side='C' GROUP BY account_id,ref LIMIT {MAX_DETAIL_ROWS}",
        schemas.ledger,
        which.sql()
    );
    conn.query(sql).await
}
