//! All SQL on `outbox` and `outbox_archive`.

use crate::transaction::Transaction;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::ids::new_tx_id;
use sluice_contract::provenance::{SignedDeletions, TransactionSignatures, TransactionSigner};
use sluice_contract::sql::{Conn, SqlLiteral, pair_list, push_lit, push_row};

/// Appends the deletion of the outbox row just written: its events are nobody's, and
/// the binlog keeps the proof.
pub fn push_outbox_delete(sql: &mut String, account_id: &str, tx_id: &str) {
    sql.push_str("DELETE FROM outbox WHERE account_id=");
    push_lit(sql, SqlLiteral::Text(account_id));
    sql.push_str(" AND tx_id=");
    push_lit(sql, SqlLiteral::Text(tx_id));
    sql.push(';');
}

/// Appends the signed outbox row of the transaction.
pub fn push_outbox(
    sql: &mut String,
    account_id: &str,
    tx_id: &str,
    signed: &TransactionSignatures<String>,
    events: &str,
    now_us: i64,
) {
    sql.push_str("INSERT INTO outbox (account_id,tx_id,signature,proof,events,created_us) VALUES ");
    push_row(
        sql,
        true,
        &[
            SqlLiteral::Text(account_id),
            SqlLiteral::Text(tx_id),
            SqlLiteral::Text(&signed.signature),
            SqlLiteral::Text(&signed.proof),
            SqlLiteral::Text(events),
            SqlLiteral::Int(now_us),
        ],
    );
    sql.push(';');
}

/// Account of an outbox row that is about deletions: nobody's.
const NO_ACCOUNT: &str = "-";

/// Appends the signed word that these rows go, in a row that goes with them: the binlog keeps
/// it. Without it a deletion is somebody else's.
pub fn push_deletions(
    sql: &mut String,
    deletions: &SignedDeletions,
    key: &TransactionSigner,
    now_us: i64,
) {
    if deletions.is_empty() {
        return;
    }
    let tx_id = new_tx_id();
    let signed = deletions.sign(key, &tx_id);
    push_outbox(
        sql,
        NO_ACCOUNT,
        &tx_id,
        &signed,
        &deletions.events(),
        now_us,
    );
    push_outbox_delete(sql, NO_ACCOUNT, &tx_id);
}

fn push_outbox_deletions(
    sql: &mut String,
    rows: &[&OutboxRow],
    key: &TransactionSigner,
    now_us: i64,
) {
    let mut deletions = SignedDeletions::default();
    for row in rows {
        deletions.add("outbox", &[&row.account_id, &row.tx_id]);
    }
    push_deletions(sql, &deletions, key, now_us);
}

/// One unpublished outbox row.
#[derive(Debug)]
pub struct OutboxRow {
    pub account_id: String,
    pub tx_id: String,
    pub events: String,
    pub created_us: i64,
}

/// Rows named in one statement: a list of a thousand becomes a subquery in MariaDB.
const MAX_ROWS_PER_STATEMENT: usize = 250;
/// Events archived by one statement, in bytes: well within a packet.
const MAX_ARCHIVED_BYTES: usize = 1_000_000;
/// Rows counted at most: beyond it the number says "many", and costs no more.
const MAX_BACKLOG_COUNTED: usize = 100_000;

/// Reads the oldest unpublished rows behind a transaction id.
pub async fn outbox_page(
    conn: &mut impl Queryable,
    after: &str,
    max_rows: usize,
) -> anyhow::Result<Vec<OutboxRow>> {
    let sql = format!(
        "SELECT account_id,tx_id,events,created_us FROM outbox FORCE INDEX (by_tx) WHERE tx_id>? \
         ORDER BY tx_id LIMIT {max_rows}"
    );
    let rows: Vec<(String, String, String, i64)> = conn.exec(sql, (after,)).await?;
    let make = |(account_id, tx_id, events, created_us)| OutboxRow {
        account_id,
        tx_id,
        events,
        created_us,
    };
    Ok(rows.into_iter().map(make).collect())
}

/// Names the index: with `by_tx` to choose from too, MariaDB's planning grows with the
/// square of the list, to 100 ms and more for 250 rows.
fn delete_sql(rows: &[&OutboxRow]) -> String {
    let pairs = pair_list(
        rows.iter()
            .map(|r| (r.account_id.as_str(), r.tx_id.as_str())),
    );
    format!("DELETE outbox FROM outbox FORCE INDEX (PRIMARY) WHERE (account_id,tx_id) IN {pairs}")
}

/// Deletes exactly these rows, and commits.
pub async fn outbox_delete(
    transaction: Transaction<'_>,
    rows: &[&OutboxRow],
    key: &TransactionSigner,
) -> anyhow::Result<()> {
    if rows.is_empty() {
        return transaction.roll_back().await;
    }
    let mut writes = String::new();
    push_outbox_deletions(&mut writes, rows, key, now_us());
    for some in rows.chunks(MAX_ROWS_PER_STATEMENT) {
        writes.push_str(&delete_sql(some));
        writes.push(';');
    }
    transaction.commit(writes).await
}

/// Moves rows out of the hot path, each with the reason why it can't be published, if it
/// can't. A part of them per transaction; again, they are the same rows.
pub async fn outbox_archive(
    conn: &mut Conn,
    rows: &[&OutboxRow],
    reason: Option<&str>,
    (key, now_us): (&TransactionSigner, i64),
) -> anyhow::Result<()> {
    let mut rest = rows;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |r: &&&OutboxRow| {
            bytes += r.events.len();
            bytes <= MAX_ARCHIVED_BYTES
        };
        let count = rest.iter().take(MAX_ROWS_PER_STATEMENT).take_while(fits);
        // One row that is too large by itself goes alone.
        let (part, more) = rest.split_at(count.count().max(1));
        let mut sql = String::from(
            "INSERT IGNORE INTO outbox_archive \
             (account_id,tx_id,events,reason,created_us,archived_us) VALUES ",
        );
        for (at, r) in part.iter().enumerate() {
            push_row(
                &mut sql,
                at == 0,
                &[
                    SqlLiteral::Text(&r.account_id),
                    SqlLiteral::Text(&r.tx_id),
                    SqlLiteral::Text(&r.events),
                    reason.into(),
                    SqlLiteral::Int(r.created_us),
                    SqlLiteral::Int(now_us),
                ],
            );
        }
        sql.push(';');
        push_outbox_deletions(&mut sql, part, key, now_us);
        let writes = format!("{sql}{};", delete_sql(part));
        Transaction::deferred(conn).commit(writes).await?;
        rest = more;
    }
    Ok(())
}

/// Counts the rows, up to a bound, by the index alone.
pub async fn outbox_backlog(conn: &mut impl Queryable) -> anyhow::Result<i64> {
    let last = format!(
        "SELECT tx_id FROM outbox FORCE INDEX (by_tx) ORDER BY tx_id LIMIT {MAX_BACKLOG_COUNTED},1"
    );
    if conn.query_first::<String, _>(last).await?.is_some() {
        return Ok(MAX_BACKLOG_COUNTED as i64);
    }
    let count = "SELECT COUNT(*) FROM outbox FORCE INDEX (by_tx)";
    Ok(conn.query_first(count).await?.unwrap_or(0))
}
