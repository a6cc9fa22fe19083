//! Names of repeated requests, looked up before an intent is written.

use crate::accept::IdempotentRequest;
use crate::accept::failure::KeyLookupRequired;
use crate::accept::known::{KnownRequests, look_up};
use crate::accept::split_intent::incoming_posting;
use crate::intents::{self, BookingIntent};
use crate::saga::BookingSaga;
use anyhow::ensure;
use sluice_contract::sql::Conn;

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
    let others = intents::repo::of_postings(conn, &ids, saga.keys()).await?;
    if !others.is_empty() {
        saga.drive(others).await?;
    }
    Ok(known)
}

/// Insists that keys without an open booking are there still. Between the read of a key and
/// that of its booking another driver may have refused it and freed the key: without the
/// second look its caller would hear "accepted".
///
/// # Errors
/// The database's, or `KeyLookupRequired`: a key is gone, and everything is read again.
pub(super) async fn insist_on_settled(
    conn: &mut Conn,
    requests: &[&IdempotentRequest],
    known: &KnownRequests,
    open: &[BookingIntent],
) -> anyhow::Result<()> {
    let accepted = |known: &KnownRequests, request: &IdempotentRequest| {
        let answer = known.answer(request)?.ok()?;
        Some(answer.order_id)
    };
    let is_settled = |request: &&IdempotentRequest| {
        accepted(known, request).is_some_and(|id| !open.iter().any(|i| i.order_id == id))
    };
    let settled: Vec<&IdempotentRequest> = requests.iter().copied().filter(is_settled).collect();
    if settled.is_empty() {
        return Ok(());
    }
    let now = look_up(conn, &settled).await?;
    let is_same =
        |request: &&IdempotentRequest| accepted(known, request) == accepted(&now, request);
    ensure!(settled.iter().all(is_same), KeyLookupRequired);
    Ok(())
}
