//! SQL of routing on `orders`: those that wait for a route.

use mysql_async::prelude::Queryable;

/// Counts orders that wait for a route: how many, and when the oldest was made. Ended
/// orders have no due time, so this doesn't grow with history.
pub async fn unrouted(conn: &mut impl Queryable) -> anyhow::Result<(i64, Option<i64>)> {
    let sql = "SELECT COUNT(*),MIN(created_us) FROM orders \
               WHERE due_us > 0 AND state='init' AND (attempts=0 OR channel IS NULL) AND route IS NOT NULL";
    Ok(conn.query_first(sql).await?.unwrap_or((0, None)))
}
