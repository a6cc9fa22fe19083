//! SQL of consistent snapshots and of their position in the binlog.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

/// Begins a snapshot of everything on this server. The isolation is this one
/// transaction's: the session's own gives none.
pub async fn begin(conn: &mut Conn) -> mysql_async::Result<()> {
    conn.query_drop("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        .await?;
    conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        .await
}

pub async fn end(conn: &mut Conn) -> mysql_async::Result<()> {
    conn.query_drop("COMMIT").await
}

/// Binlog file and offset of the snapshot that this connection holds; only MariaDB
/// can tell.
pub async fn snapshot_binlog_position(
    conn: &mut Conn,
) -> mysql_async::Result<Option<(String, u64)>> {
    let status: Vec<(String, String)> = conn.query("SHOW STATUS LIKE 'binlog_snapshot_%'").await?;
    let of = |name: &str| {
        status
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.clone())
    };
    let at = of("binlog_snapshot_position").and_then(|at| at.parse().ok());
    Ok(of("binlog_snapshot_file").zip(at))
}

/// The GTID position of a place. The server reads the file up to there.
pub async fn gtid_of(conn: &mut Conn, file: &str, at: u64) -> mysql_async::Result<Option<String>> {
    Ok(conn
        .exec_first::<Option<String>, _, _>("SELECT BINLOG_GTID_POS(?,?)", (file, at))
        .await?
        .flatten())
}
