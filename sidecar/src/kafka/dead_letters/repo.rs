//! SQL of dead letters. Part of the commit that also moves the offsets.

use crate::kafka::dead_letters::MAX_TABLE_ROWS;
use crate::stream::batches::DeadLetter;
use mysql_async::params;
use mysql_async::prelude::Queryable;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::{SqlLiteral, push_row};
use std::fmt::Write;

/// Rows per statement: of 1,000 bytes each, far below any server's packet limit.
const MAX_ROWS_PER_INSERT: usize = 200;
/// Rows removed by one commit at most, so that none takes long.
const MAX_ROWS_PER_PRUNE: u32 = 5_000;

/// Writes them; one that is there already stays as it is.
pub async fn insert<'a, Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    dead_letters: impl Iterator<Item = &'a DeadLetter>,
    found_us: i64,
) -> mysql_async::Result<()> {
    let dead_letters: Vec<&DeadLetter> = dead_letters.collect();
    for some in dead_letters.chunks(MAX_ROWS_PER_INSERT) {
        let mut sql = format!(
            "INSERT IGNORE INTO {}.dead_letter (topic, partition_no, offset_no, reason, payload_bytes, event_time_us, \
             found_us, payload) VALUES ",
            schemas.guard
        );
        for (at, one) in some.iter().enumerate() {
            let row = [
                SqlLiteral::Text(&one.topic),
                SqlLiteral::Int(i64::from(one.partition)),
                SqlLiteral::Int(one.offset),
                SqlLiteral::Text(one.reason),
                SqlLiteral::Int(i64::try_from(one.bytes).unwrap_or(i64::MAX)),
                SqlLiteral::Int(one.event_time_us),
                SqlLiteral::Int(found_us),
            ];
            push_row(&mut sql, at == 0, &row);
            // The payload may be any bytes: as digits, within the row's parenthesis.
            sql.pop();
            sql.push_str(",x'");
            // Writing into a String can't fail.
            let _ = one
                .payload
                .iter()
                .try_for_each(|byte| write!(sql, "{byte:02x}"));
            sql.push_str("')");
        }
        conn.query_drop(sql).await?;
    }
    Ok(())
}

/// A dead letter as people read it.
#[derive(Debug)]
pub struct DeadLetterRow {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub reason: String,
    /// Length of the whole payload; `payload` holds its beginning.
    pub bytes: i64,
    pub event_time_us: i64,
    pub payload: Vec<u8>,
}

/// Reads the newest `limit` rows, of one topic if it is named.
pub async fn newest<Q: Queryable>(
    conn: &mut Q,
    schemas: &Schemas,
    topic: Option<&str>,
    limit: u32,
) -> mysql_async::Result<Vec<DeadLetterRow>> {
    let sql = format!(
        "SELECT topic, partition_no, offset_no, reason, payload_bytes, event_time_us, payload FROM {}.dead_letter \
         WHERE :topic IS NULL OR topic = :topic ORDER BY found_us DESC, topic, partition_no, offset_no DESC LIMIT {limit}",
        schemas.guard
    );
    conn.exec_map(
        sql,
        params! { topic },
        |(topic, partition, offset, reason, bytes, event_time_us, payload)| DeadLetterRow {
            topic,
            partition,
            offset,
            reason,
            bytes,
            event_time_us,
            payload,
        },
    )
    .await
}

/// Takes the oldest rows away until about [`MAX_TABLE_ROWS`] are left.
pub async fn prune<Q: Queryable>(conn: &mut Q, schemas: &Schemas) -> mysql_async::Result<()> {
    let newest_surplus = format!(
        "SELECT found_us FROM {}.dead_letter ORDER BY found_us DESC LIMIT 1 OFFSET {MAX_TABLE_ROWS}",
        schemas.guard
    );
    let Some(found_us) = conn.query_first::<i64, _>(newest_surplus).await? else {
        return Ok(());
    };
    let sql = format!(
        "DELETE FROM {}.dead_letter WHERE found_us <= {found_us} LIMIT {MAX_ROWS_PER_PRUNE}",
        schemas.guard
    );
    conn.query_drop(sql).await
}
