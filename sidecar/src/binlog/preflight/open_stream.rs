//! Opening a binlog stream at a position.

use crate::stream::gtid::{Flavour, GtidSet};
use crate::stream::position::StartPosition;
use anyhow::Context;
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStream, BinlogStreamRequest, Conn};

/// The server sends a heartbeat when it has nothing else, in nanoseconds.
const HEARTBEAT_PERIOD_NS: u64 = 1_000_000_000;
/// Longest packet that we take. A server sends events of any size to whoever follows it, up
/// to 1 GiB, whatever it allows to clients: a row of others must not make us blind.
const MAX_PACKET_BYTES: usize = 1 << 30;

/// A stream, and what its server says of itself.
pub struct OpenedStream {
    pub stream: BinlogStream,
    /// Names of tables that differ in case alone are one: `lower_case_table_names`.
    pub folds_names: bool,
}

/// Asks for everything after `position`, or with `StartPosition::Oldest` for everything
/// that the server still has.
pub async fn open(
    url: &str,
    server_id: u32,
    flavour: Flavour,
    position: &GtidSet,
    start: StartPosition,
) -> anyhow::Result<OpenedStream> {
    let options = sluice_contract::sql::options(url)?;
    let mut conn = Conn::new(options.max_allowed_packet(Some(MAX_PACKET_BYTES))).await?;
    conn.query_drop(format!(
        "SET @master_heartbeat_period={HEARTBEAT_PERIOD_NS}, @source_heartbeat_period={HEARTBEAT_PERIOD_NS}"
    ))
    .await?;
    let folds: Option<u8> = conn
        .query_first("SELECT @@GLOBAL.lower_case_table_names")
        .await?;
    let opened = |stream| OpenedStream {
        stream,
        folds_names: folds != Some(0),
    };
    if flavour == Flavour::MariaDb {
        conn.query_drop("SET @mariadb_slave_capability=4").await?;
    }
    let request = BinlogStreamRequest::new(server_id).with_pos(4);
    if start == StartPosition::Oldest {
        let first: Option<mysql_async::Row> = conn.query_first("SHOW BINARY LOGS").await?;
        let file: Option<Vec<u8>> = first.and_then(|row| row.get(0));
        let file = file.context("the server has no binlog file")?;
        return Ok(opened(
            conn.get_binlog_stream(request.with_filename(&file)).await?,
        ));
    }
    if flavour == Flavour::MySql {
        let request = request.with_gtid().with_gtid_set(position.sids());
        return Ok(opened(conn.get_binlog_stream(request).await?));
    }
    // A rendered GTID list holds digits, commas and hyphens only.
    conn.query_drop(format!("SET @slave_connect_state='{}'", position.render()))
        .await?;
    conn.query_drop("SET @slave_gtid_strict_mode=1").await?;
    Ok(opened(conn.get_binlog_stream(request).await?))
}
