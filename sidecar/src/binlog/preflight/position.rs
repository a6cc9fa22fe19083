//! The position of a server, and whether it has everything that was read.

use crate::stream::gtid::{Flavour, GtidSet};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use std::time::Duration;

/// Questions to a server that lacks something that was read, and the pause between them:
/// MySQL sends a transaction a moment before it counts it as its own.
const POSITION_ATTEMPTS: (usize, Duration) = (5, Duration::from_millis(100));

/// The server's position now: what is committed later comes after it.
pub async fn position(conn: &mut Conn, flavour: Flavour) -> anyhow::Result<String> {
    let sql = match flavour {
        Flavour::MariaDb => "SELECT @@GLOBAL.gtid_binlog_pos",
        Flavour::MySql => "SELECT @@GLOBAL.gtid_executed",
        Flavour::Feed => return Ok(String::new()),
    };
    let text: Option<String> = conn.query_first(sql).await?;
    Ok(GtidSet::parse(flavour, &text.unwrap_or_default())?.render())
}

/// Whether the server has all of `read`. MySQL does not ask that itself when its binlog is
/// opened: it refuses a position that is ahead of it only in transactions of its own, and
/// one that lost a dead primary's transactions goes on without a word. MariaDB refuses
/// both when it is asked to go on (`open`).
pub async fn has_all(conn: &mut Conn, flavour: Flavour, read: &GtidSet) -> anyhow::Result<bool> {
    if flavour != Flavour::MySql {
        return Ok(true);
    }
    for _ in 0..POSITION_ATTEMPTS.0 {
        if GtidSet::parse(flavour, &position(conn, flavour).await?)?.lacks(read) == 0 {
            return Ok(true);
        }
        tokio::time::sleep(POSITION_ATTEMPTS.1).await;
    }
    Ok(false)
}
