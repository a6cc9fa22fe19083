//! All SQL on the place that the closing has come to, among those of retention: whoever takes
//! over goes on from there.

use mysql_async::prelude::Queryable;

/// Key in `retention_cursor`.
const CURSOR_NAME: &str = "closing";

/// Reads the place, empty if there is none.
pub(super) async fn place(conn: &mut impl Queryable) -> anyhow::Result<String> {
    let sql = "SELECT place FROM retention_cursor WHERE name=?";
    let place: Option<String> = conn.exec_first(sql, (CURSOR_NAME,)).await?;
    Ok(place.unwrap_or_default())
}

/// Keeps the place.
pub(super) async fn keep_place(conn: &mut impl Queryable, place: &str) -> anyhow::Result<()> {
    let sql = "INSERT INTO retention_cursor (name,place) VALUES (?,?) ON DUPLICATE KEY UPDATE place=VALUES(place)";
    Ok(conn.exec_drop(sql, (CURSOR_NAME, place)).await?)
}
