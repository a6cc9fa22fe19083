//! Is this server's binlog complete, readable and durable? Asked at the start and
//! every two seconds after it: somebody may change a variable while we read.

use crate::binlog::hosts::{HostChoice, ServerHosts};
use crate::health::blind::{Blind, BlindCause};
use crate::stream::gtid::{Flavour, GtidSet};
use crate::stream::position::StartPosition;
use anyhow::Context;
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStream, BinlogStreamRequest, Conn};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often the variables are read again.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// A server that does not answer within this is unreachable.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
/// The server sends a heartbeat when it has nothing else, in nanoseconds.
const HEARTBEAT_PERIOD_NS: u64 = 1_000_000_000;
/// How often a server that lacks what was read is asked once more, and after how long:
/// MySQL sends a transaction a moment before it counts it as its own.
const POSITION_ATTEMPTS: (usize, Duration) = (5, Duration::from_millis(100));

/// A variable, its required value, and whether only a restart changes it.
struct RequiredVariable(&'static str, &'static str, bool);

const COMMON_VARIABLES: [RequiredVariable; 6] = [
    RequiredVariable("log_bin", "ON", true),
    RequiredVariable("binlog_format", "ROW", false),
    RequiredVariable("binlog_row_image", "FULL", false),
    RequiredVariable("binlog_row_metadata", "FULL", false),
    RequiredVariable("sync_binlog", "1", false),
    RequiredVariable("innodb_flush_log_at_trx_commit", "1", false),
];
const MARIADB_VARIABLES: [RequiredVariable; 2] = [
    RequiredVariable("log_bin_compress", "OFF", false),
    RequiredVariable("binlog_annotate_row_events", "ON", false),
];
const MYSQL_VARIABLES: [RequiredVariable; 2] = [
    RequiredVariable("binlog_rows_query_log_events", "ON", false),
    RequiredVariable("gtid_mode", "ON", true),
];

/// Every wrong variable, with what to set. Empty if the server is fit.
pub fn wrong_variables(flavour: Flavour, variables: &HashMap<String, String>) -> Vec<String> {
    let own: &[RequiredVariable] = match flavour {
        Flavour::MariaDb => &MARIADB_VARIABLES,
        Flavour::MySql => &MYSQL_VARIABLES,
        Flavour::Feed => return Vec::new(),
    };
    COMMON_VARIABLES
        .iter()
        .chain(own)
        .filter_map(|required| complaint(required, variables))
        .collect()
}

/// What a server that is read through a feed must have: a statement in its binlog instead
/// of rows is not told by any connector. One that has no such variable, or can't be asked for
/// them (a proxy), has no such binlog.
pub async fn wrong_variables_for_feed(conn: &mut Conn) -> anyhow::Result<Vec<String>> {
    const FEED_VARIABLES: [&str; 2] = ["binlog_format", "binlog_row_image"];
    let sql = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('binlog_format','binlog_row_image')";
    let variables: HashMap<String, String> = match conn.query::<(String, String), _>(sql).await {
        Ok(variables) => variables.into_iter().collect(),
        Err(mysql_async::Error::Server(_)) => HashMap::new(),
        Err(error) => return Err(error.into()),
    };
    let known = COMMON_VARIABLES.iter().filter(|required| {
        FEED_VARIABLES.contains(&required.0) && variables.contains_key(required.0)
    });
    Ok(known
        .filter_map(|required| complaint(required, &variables))
        .collect())
}

fn complaint(
    RequiredVariable(name, want, restart): &RequiredVariable,
    variables: &HashMap<String, String>,
) -> Option<String> {
    let have = variables.get(*name).map_or("missing", String::as_str);
    let same = have.eq_ignore_ascii_case(want)
        || (*want == "ON" && have == "1")
        || (*want == "OFF" && have == "0");
    // A server without binlog_format knows rows only.
    if same || (*name == "binlog_format" && have == "missing") {
        return None;
    }
    let quoted = if want.parse::<u32>().is_ok() {
        (*want).to_owned()
    } else {
        format!("'{want}'")
    };
    Some(if *restart {
        format!(
            "{name} is {have}: set {name} = {want} in the server's configuration and restart it"
        )
    } else {
        format!("{name} is {have}: SET GLOBAL {name} = {quoted}")
    })
}

/// Watches the server for ever; `fit` holds its flavour while everything is right.
/// Before anything is read it also looks for a host that can be written to.
pub async fn watch(hosts: Arc<ServerHosts>, blind: Blind, fit: watch::Sender<Option<Flavour>>) {
    let mut kept = None;
    loop {
        if hosts.several()
            && !hosts.is_followed()
            && let HostChoice::Nowhere(why) = hosts.primary().await
        {
            blind.set(BlindCause::Mysql, format!("no host to begin with: {why}"));
            fit.send_replace(None);
            tokio::time::sleep(CHECK_INTERVAL).await;
            continue;
        }
        if kept
            .as_ref()
            .is_some_and(|(name, _): &(String, _)| name != hosts.name())
        {
            kept = None;
        }
        let mut conn = kept.take().map(|(_, conn)| conn);
        let name = hosts.name().to_owned();
        match tokio::time::timeout(QUERY_TIMEOUT, inspect(hosts.url(), &mut conn)).await {
            Ok(Ok((flavour, complaints))) => {
                blind.clear(BlindCause::Mysql);
                if hosts.several() && is_follower(&mut conn).await {
                    hosts.leave();
                }
                if complaints.is_empty() {
                    blind.clear(BlindCause::Preflight);
                    fit.send_replace(Some(flavour));
                } else {
                    blind.set(BlindCause::Preflight, complaints.join(", "));
                    fit.send_replace(None);
                }
            }
            Ok(Err(error)) => blind.set(
                BlindCause::Mysql,
                format!("{name} is unreachable, still trying: {error:#}"),
            ),
            Err(_) => blind.set(
                BlindCause::Mysql,
                format!("{name} is unreachable, still trying: no answer within 2 s"),
            ),
        }
        kept = conn.map(|conn| (name, conn));
        tokio::time::sleep(CHECK_INTERVAL).await;
    }
}

/// A planned switch: the server answers and is no primary any more.
async fn is_follower(kept: &mut Option<Conn>) -> bool {
    let Some(mut conn) = kept.take() else {
        return false;
    };
    let asked = tokio::time::timeout(QUERY_TIMEOUT, not_primary(&mut conn)).await;
    let Ok(Ok(why)) = asked else { return false };
    *kept = Some(conn);
    why.is_some()
}

/// Why this server must not be written to, if so: it is read-only, or a replica that
/// follows another.
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

async fn inspect(url: &str, kept: &mut Option<Conn>) -> anyhow::Result<(Flavour, Vec<String>)> {
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

/// Where the server is now: what is committed later comes after it.
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

#[cfg(test)]
#[path = "preflight_tests.rs"]
mod tests;
