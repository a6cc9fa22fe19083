//! The question whether a stored position is lost for good.

use crate::audit::audit_context::AuditContext;
use crate::audit::run::servers::servers;
use crate::binlog::{preflight, reader};
use crate::leader::checkpoint_repo::CheckpointRow;
use crate::stream::gtid::{Flavour, GtidSet};
use crate::stream::position::StartPosition;
use anyhow::Context;
use futures_util::StreamExt;
use std::time::Duration;

/// Time that a server has to say whether it has the position.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a stored position that was lost is to be given up: the policy says so, and
/// the server says once more that it can't read on from there.
pub async fn is_lost(
    context: &AuditContext,
    flavour: Flavour,
    stored: &CheckpointRow,
) -> anyhow::Result<bool> {
    if !context.handle.is_lost(&stored.replay_from) || servers(context, flavour).is_err() {
        return Ok(false);
    }
    let position = GtidSet::parse(flavour, &stored.replay_from)?;
    let url = context.db.hosts.url();
    let asked = async {
        let mut conn = context.db.conn().await?;
        if !preflight::has_all(&mut conn, flavour, &position).await? {
            return Ok(true);
        }
        drop(conn);
        let opened = preflight::open(
            url,
            context.server_id,
            flavour,
            &position,
            StartPosition::Now,
        )
        .await;
        let error = match opened {
            Ok(mut opened) => match opened.stream.next().await {
                Some(Err(error)) => error.into(),
                _ => return Ok(false),
            },
            Err(error) => error,
        };
        match error.downcast_ref::<mysql_async::Error>() {
            Some(mysql_async::Error::Server(e)) if reader::is_lost(e) => Ok(true),
            _ => Err(error),
        }
    };
    tokio::time::timeout(QUERY_TIMEOUT, asked)
        .await
        .context("the server was silent for 5 s")?
}
