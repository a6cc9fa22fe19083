//! One host, and whether it can go on where another stopped.

use crate::binlog::preflight;
use crate::stream::gtid::{Flavour, GtidSet};
use crate::stream::position::StartPosition;
use futures_util::StreamExt;
use mysql_async::{BinlogStream, Pool};
use sluice_contract::sql;
use std::time::Duration;
use tokio::time::timeout;

/// One question to a candidate; a frozen one must not hold up the others.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
#[derive(Debug)]
pub struct ServerHost {
    pub url: String,
    /// `host:port`, for people.
    pub name: String,
    pub pool: Pool,
    /// For the commits of what was found: they never wait for those who only look.
    pub commit_pool: Pool,
}

impl ServerHost {
    /// # Errors
    /// The reason why it is not fit. With `read` it must have all of that, too.
    pub async fn is_fit(
        &self,
        server_id: u32,
        read: Option<(Flavour, &GtidSet)>,
    ) -> anyhow::Result<()> {
        let mut conn = timeout(QUERY_TIMEOUT, sql::connect(&self.url)).await??;
        if let Some(why) = preflight::not_primary(&mut conn).await? {
            anyhow::bail!("{why}");
        }
        let Some((flavour, position)) = read else {
            return Ok(());
        };
        // Asked first of MySQL, which would go on all the same.
        if !preflight::has_all(&mut conn, flavour, position).await? {
            anyhow::bail!(
                "{}",
                lost_something(position, "its gtid_executed is behind")
            );
        }
        // The server itself is asked to go on from there: a position that is ahead of
        // it, or of another history, is refused by its own rules.
        let opened =
            preflight::open(&self.url, server_id, flavour, position, StartPosition::Now).await?;
        match timeout(QUERY_TIMEOUT, goes_on(opened.stream)).await? {
            Ok(()) => Ok(()),
            Err(error) => anyhow::bail!("{}", lost_something(position, &error.to_string())),
        }
    }
}

fn lost_something(read: &GtidSet, why: &str) -> String {
    format!(
        "it does not have everything that was read, up to {}: {why}; what it lost was evaluated and told already: run \
         the audit, then restart the sidecar",
        read.render()
    )
}

/// Reads until the server has proved that it serves this position.
async fn goes_on(mut stream: BinlogStream) -> Result<(), mysql_async::Error> {
    // Rotate, format and a list of GTIDs come before the check on some servers.
    const PREAMBLE_EVENT_TYPES: [u8; 4] = [4, 15, 163, 35];
    while let Some(event) = stream.next().await {
        if !PREAMBLE_EVENT_TYPES.contains(&event?.header().event_type_raw()) {
            break;
        }
    }
    Ok(())
}
