//! SQL of postings whose lines do not balance.

use crate::audit::sql::account_filter::AccountFilter;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rust_decimal::Decimal;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::pair_list;

/// Postings that don't balance, of one statement. More are no accident: see `run`.
pub const MAX_POSTINGS: usize = 1_000;

/// Postings whose debits and credits differ in some currency: (account, posting).
pub async fn unbalanced(
    conn: &mut Conn,
    schemas: &Schemas,
    which: AccountFilter<'_>,
) -> mysql_async::Result<Vec<(String, String)>> {
    // In the key's own order, so that nothing is sorted; a posting in two currencies
    // is looked at more closely below.
    let sql = format!(
        "SELECT account_id,posting_id FROM {}.entry FORCE INDEX (PRIMARY) WHERE {} GROUP BY account_id,posting_id \
         HAVING SUM(IF(side='C',amount,-amount))<>0 OR MIN(currency)<>MAX(currency) \
         LIMIT {MAX_POSTINGS}",
        schemas.ledger,
        which.sql()
    );
    conn.query(sql).await
}

/// Account, posting, currency, lines, debits, credits.
pub type AuditPostingRow = (String, String, String, i64, Decimal, Decimal);

pub async fn postings(
    conn: &mut Conn,
    schemas: &Schemas,
    which: &[(String, String)],
) -> mysql_async::Result<Vec<AuditPostingRow>> {
    let these = pair_list(
        which
            .iter()
            .map(|(account, posting)| (account.as_str(), posting.as_str())),
    );
    let sql = format!(
        "SELECT account_id,posting_id,currency,COUNT(*),SUM(IF(side='D',amount,0)),SUM(IF(side='C',amount,0)) \
         FROM {}.entry WHERE (account_id,posting_id) IN {these} GROUP BY account_id,posting_id,currency \
         ORDER BY account_id,posting_id,currency",
        schemas.ledger
    );
    conn.query(sql).await
}
