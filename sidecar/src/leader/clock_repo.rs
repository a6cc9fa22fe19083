//! SQL of the clocks: how far ours is ahead of that of the sidecar that led before.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, params};
use sluice_contract::clock::now_us;
use sluice_contract::schema::Schemas;

/// Time by which our clock is ahead of the one that the last checkpoint of a source was
/// written by, in microseconds; negative if it is behind, None without a checkpoint that has the
/// server's time (one of before the column). Both are
/// compared with the database's, so that it does not matter how that one goes.
///
/// # Errors
/// The database did not answer.
pub async fn clock_lead_us(
    conn: &mut Conn,
    schemas: &Schemas,
    source: &str,
) -> mysql_async::Result<Option<i64>> {
    let sql = format!(
        "SELECT updated_us, CAST(UNIX_TIMESTAMP(server_time) * 1000000 AS SIGNED), \
         CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED) FROM {}.checkpoint WHERE source = :source",
        schemas.guard
    );
    let row: Option<(i64, Option<i64>, i64)> = conn.exec_first(sql, params! { source }).await?;
    let ours_us = now_us();
    Ok(row.and_then(|(theirs_us, server_then_us, server_now_us)| {
        let ours = ours_us.saturating_sub(server_now_us);
        Some(ours.saturating_sub(theirs_us.saturating_sub(server_then_us?)))
    }))
}
