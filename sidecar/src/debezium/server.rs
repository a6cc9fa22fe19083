//! The server on which verdicts are kept. With a change feed it need not have a
//! binlog that can be read: only be there.

use crate::blind::{Blind, Cause};
use crate::sources::gtid::Flavour;
use std::time::Duration;
use tokio::sync::watch;

/// How often it is asked.
const AGAIN: Duration = Duration::from_secs(2);
/// One that does not answer within this is unreachable.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks for ever; `fit` is set with the first answer.
pub async fn watch(url: String, blind: Blind, fit: watch::Sender<Option<Flavour>>) {
    loop {
        let asked = async {
            let conn = sluice_contract::sql::connect(&url).await?;
            Ok::<_, anyhow::Error>(conn.disconnect().await?)
        };
        let failed = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(_) => Some("no answer within 2 s".to_owned()),
        };
        match failed {
            None => {
                blind.clear(Cause::Mysql);
                blind.clear(Cause::Preflight);
                fit.send_replace(Some(Flavour::Feed));
            }
            Some(why) => blind.set(Cause::Mysql, format!("unreachable, still trying: {why}")),
        }
        tokio::time::sleep(AGAIN).await;
    }
}
