//! Keys of repeated requests, looked up before an intent is written.

use crate::accept::IdempotentRequest;
use crate::accept::failure::KeyLookupRequired;
use crate::accept::split_intent::incoming_posting;
use crate::intents::{self, BookingIntent};
use crate::orders::repo::{self, IdempotencyRow};
use crate::saga::BookingSaga;
use anyhow::ensure;
use sluice_contract::sql::Conn;
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
        .filter_map(|k| incoming_posting(&k.booking))
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

/// Insists that keys without an open booking are there still. Between the read of a key and
/// that of its booking another driver may have refused it and freed the key: without the
/// second look its caller would hear "accepted".
///
/// # Errors
/// The database's, or `KeyLookupRequired`: a key is gone, and everything is read again.
pub(super) async fn insist_on_settled(
    conn: &mut Conn,
    known: &HashMap<(String, String), IdempotencyRow>,
    open: &[BookingIntent],
) -> anyhow::Result<()> {
    let is_settled = |row: &IdempotencyRow| !open.iter().any(|i| i.order_id == row.order_id);
    let settled: Vec<&IdempotencyRow> = known.values().filter(|row| is_settled(row)).collect();
    if settled.is_empty() {
        return Ok(());
    }
    let wanted: Vec<_> = settled
        .iter()
        .map(|row| (row.client.as_str(), row.key.as_str()))
        .collect();
    let now = repo::find_keys(conn, &wanted).await?;
    let is_there = |row: &IdempotencyRow| {
        now.get(&(row.client.clone(), row.key.clone()))
            .is_some_and(|n| n.order_id == row.order_id)
    };
    ensure!(settled.into_iter().all(is_there), KeyLookupRequired);
    Ok(())
}
