//! The server on which verdicts are kept. With a change feed it need not have a binlog
//! that can be read: only be there, and have rows in its binlog if it has one.

use crate::binlog::preflight;
use crate::health::blind::{Blind, BlindCause};
use crate::stream::gtid::Flavour;
use std::time::Duration;
use tokio::sync::watch;

/// The server is asked again after this time.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// One that does not answer within this is unreachable.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Asks for ever; `fit` is set with the first answer.
pub async fn watch(url: String, blind: Blind, fit: watch::Sender<Option<Flavour>>) {
    loop {
        let asked = async {
            let mut conn = sluice_contract::sql::connect(&url).await?;
            let complaints = preflight::wrong_variables_for_feed(&mut conn).await?;
            conn.disconnect().await?;
            anyhow::Ok(complaints)
        };
        let answer = tokio::time::timeout(QUERY_TIMEOUT, asked).await;
        match answer.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within 2 s"))) {
            Ok(complaints) => {
                blind.clear(BlindCause::Mysql);
                if complaints.is_empty() {
                    blind.clear(BlindCause::Preflight);
                    fit.send_replace(Some(Flavour::Feed));
                } else {
                    blind.set(BlindCause::Preflight, complaints.join(", "));
                    fit.send_replace(None);
                }
            }
            Err(error) => blind.set(
                BlindCause::Mysql,
                format!("unreachable, still trying: {error:#}"),
            ),
        }
        tokio::time::sleep(CHECK_INTERVAL).await;
    }
}
