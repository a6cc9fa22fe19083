//! Keys of repeated requests, looked up before an intent is written.

use crate::accept::IdempotentRequest;
use crate::accept::split_intent::incoming_posting;
use crate::intents;
use crate::orders::repo::{self, IdempotencyRow};
use crate::saga::BookingSaga;
use mysql_async::Conn;
use std::collections::HashMap;

/// Finds keys that were used before. A booking that is open under the same posting but
/// another key is driven first, so that its outcome is there to answer these requests.
pub(super) async fn look_up_keys(
    saga: &BookingSaga,
    conn: &mut Conn,
    requests: &[&IdempotentRequest],
) -> anyhow::Result<HashMap<(String, String), IdempotencyRow>> {
    let wanted: Vec<_> = requests
        .iter()
        .map(|k| (k.client.as_str(), k.key.as_str()))
        .collect();
    let known = repo::find_keys(conn, &wanted).await?;
    let fresh = requests
        .iter()
        .filter(|k| !known.contains_key(&(k.client.clone(), k.key.clone())));
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
