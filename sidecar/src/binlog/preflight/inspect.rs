//! One look at a server: its flavour and its variables.

use crate::binlog::preflight::wrong_variables;
use crate::stream::gtid::Flavour;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

/// Reads a server's flavour, and every wrong variable, over the connection that was kept or a
/// new one.
pub async fn inspect(url: &str, kept: &mut Option<Conn>) -> anyhow::Result<(Flavour, Vec<String>)> {
    // Taken out while in use: a cancelled query leaves no half-read connection behind.
    let mut conn = match kept.take() {
        Some(conn) => conn,
        None => sluice_contract::sql::connect(url).await?,
    };
    let flavour = flavour(&mut conn).await?;
    let variables: Vec<(String, String)> = conn
        .query(
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin','binlog_format','binlog_row_image',\
             'binlog_row_metadata','sync_binlog','innodb_flush_log_at_trx_commit','log_bin_compress',\
             'binlog_annotate_row_events','binlog_rows_query_log_events','gtid_mode')",
        )
        .await?;
    *kept = Some(conn);
    Ok((
        flavour,
        wrong_variables(flavour, &variables.into_iter().collect()),
    ))
}

async fn flavour(conn: &mut Conn) -> anyhow::Result<Flavour> {
    let version: Option<String> = conn.query_first("SELECT VERSION()").await?;
    let is_mariadb = version
        .unwrap_or_default()
        .to_lowercase()
        .contains("mariadb");
    Ok(if is_mariadb {
        Flavour::MariaDb
    } else {
        Flavour::MySql
    })
}
