//! The watch over a server: its variables, and with several hosts whether the current one is
//! still the primary.

use crate::binlog::hosts::{HostChoice, ServerHosts};
use crate::binlog::preflight::{inspect, not_primary};
use crate::health::blind::{Blind, BlindCause};
use crate::stream::gtid::Flavour;
use mysql_async::Conn;
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
