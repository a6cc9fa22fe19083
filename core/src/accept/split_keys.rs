//! Names of repeated requests, looked up before an intent is written.

use crate::accept::IdempotentRequest;
use crate::accept::known::{KnownRequests, look_up};
use crate::accept::split_intent::incoming_posting;
use crate::intents;
use crate::saga::BookingSaga;
use mysql_async::Conn;

/// Finds requests that were made before. A booking that is open under the same posting but
/// another key is driven first, so that its outcome is there to answer these requests.
pub(super) async fn look_up_keys(
    saga: &BookingSaga,
    conn: &mut Conn,
    requests: &[&IdempotentRequest],
) -> anyhow::Result<KnownRequests> {
    let known = look_up(conn, requests).await?;
    let fresh = requests.iter().filter(|r| known.answer(r).is_none());
    let ids: Vec<(String, String)> = fresh
        .filter_map(|k| incoming_posting(k))
        .map(|p| (p.account_id, p.posting_id))
        .collect();
    let ids: Vec<(&str, &str)> = ids
        .iter()
        .map(|(account, id)| (account.as_str(), id.as_str()))
        .collect();
    let others = intents::repo::of_postings(conn, &ids, &saga.key).await?;
    if !others.is_empty() {
        saga.drive(others).await?;
    }
    Ok(known)
}
