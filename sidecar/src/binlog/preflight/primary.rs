//! Whether a server is a primary.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

/// The reason why this server must not be written to, if there is one: it is
/// read-only, or a replica that follows another.
pub async fn not_primary(conn: &mut Conn) -> anyhow::Result<Option<&'static str>> {
    let read_only: Option<bool> = conn.query_first("SELECT @@GLOBAL.read_only").await?;
    if read_only == Some(true) {
        return Ok(Some("it is read-only"));
    }
    let rows: Vec<mysql_async::Row> = conn.query("SHOW REPLICA STATUS").await?;
    let follows = |row: &mysql_async::Row| {
        let running = row
            .columns_ref()
            .iter()
            .position(|c| c.name_str().ends_with("_IO_Running"));
        let state: Option<String> = running.and_then(|at| row.get_opt(at)).and_then(Result::ok);
        state.is_none_or(|state| state != "No")
    };
    Ok(rows
        .iter()
        .any(follows)
        .then_some("it is a replica that follows another server"))
}
