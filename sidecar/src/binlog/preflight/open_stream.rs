//! Opening a binlog stream at a position.

use crate::stream::gtid::{Flavour, GtidSet};
use crate::stream::position::StartPosition;
use anyhow::Context;
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStream, BinlogStreamRequest};

/// The server sends a heartbeat when it has nothing else, in nanoseconds.
const HEARTBEAT_PERIOD_NS: u64 = 1_000_000_000;
/// Asks for everything after `position`, or with `StartPosition::Oldest` for everything
/// that the server still has.
pub async fn open(
    url: &str,
    server_id: u32,
    flavour: Flavour,
    position: &GtidSet,
    start: StartPosition,
) -> anyhow::Result<BinlogStream> {
    let mut conn = sluice_contract::sql::connect(url).await?;
    conn.query_drop(format!(
        "SET @master_heartbeat_period={HEARTBEAT_PERIOD_NS}, @source_heartbeat_period={HEARTBEAT_PERIOD_NS}"
    ))
    .await?;
    if flavour == Flavour::MariaDb {
        conn.query_drop("SET @mariadb_slave_capability=4").await?;
    }
    let request = BinlogStreamRequest::new(server_id).with_pos(4);
    if start == StartPosition::Oldest {
        let first: Option<mysql_async::Row> = conn.query_first("SHOW BINARY LOGS").await?;
        let file: Option<Vec<u8>> = first.and_then(|row| row.get(0));
        let file = file.context("the server has no binlog file")?;
        return Ok(conn.get_binlog_stream(request.with_filename(&file)).await?);
    }
    if flavour == Flavour::MySql {
        return Ok(conn
            .get_binlog_stream(request.with_gtid().with_gtid_set(position.sids()))
            .await?);
    }
    // A rendered GTID list holds digits, commas and hyphens only.
    conn.query_drop(format!("SET @slave_connect_state='{}'", position.render()))
        .await?;
    conn.query_drop("SET @slave_gtid_strict_mode=1").await?;
    Ok(conn.get_binlog_stream(request).await?)
}
