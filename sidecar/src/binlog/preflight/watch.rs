//! The watch over a server: its variables, and with several hosts whether the current one is
//! still the primary.

use crate::binlog::hosts::{HostChoice, ServerHosts};
use crate::binlog::preflight::{not_primary, wrong_variables};
use crate::health::blind::{Blind, BlindCause};
use crate::stream::gtid::Flavour;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The variables are read again after this time.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// A server that does not answer within this is unreachable.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
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
