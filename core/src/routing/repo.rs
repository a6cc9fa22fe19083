//! SQL of routing on `orders`: those that wait for a route.

use mysql_async::prelude::Queryable;

/// Waiting orders looked at when they are counted.
const MAX_UNROUTED_LOOKED_AT: usize = 2_000;

/// Counts orders that wait for a route among those that have been due the longest: how
/// many, and when the oldest of them was made. No index knows whether an order has a
/// route, so the number looked at is bounded, however many wait.
pub async fn unrouted(conn: &mut impl Queryable) -> anyhow::Result<(i64, Option<i64>)> {
    let sql = format!(
        "SELECT created_us,(attempts=0 OR channel IS NULL) AND route IS NOT NULL FROM orders FORCE INDEX (by_state) \
         WHERE state='init' AND due_us > 0 ORDER BY due_us LIMIT {MAX_UNROUTED_LOOKED_AT}"
    );
    let rows: Vec<(i64, bool)> = conn.query(sql).await?;
    let waiting = || rows.iter().filter(|(_, unrouted)| *unrouted);
    let oldest = waiting().map(|(created_us, _)| *created_us).min();
    Ok((waiting().count() as i64, oldest))
}
