//! SQL of every entry with its seal, read row by row: nothing of it is kept.

use crate::audit::sql::account_filter::AccountFilter;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::schema::Schemas;

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

/// Shows each entry to `judge`, in the order of the key; how many there were.
pub async fn entries(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
    mut judge: impl FnMut(SealedEntryRow) + Send,
) -> mysql_async::Result<u64> {
    let sql = format!(
        "SELECT account_id,posting_id,line,kind,book,side,amount,currency,ref,created_us,client,mac \
         FROM {}.entry FORCE INDEX (PRIMARY) WHERE {} ORDER BY account_id,posting_id,line",
        schemas.ledger,
        which.sql()
    );
    conn.query_fold(sql, 0, |rows, row: SealedEntryRow| {
        judge(row);
        rows + 1
    })
    .await
}
