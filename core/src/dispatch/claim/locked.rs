//! Orders locked for a claim, and what other tables tell of them. A row that is put back as
//! it once was has seals that hold: that it has ended since stands elsewhere.

use crate::batch::LockWait;
use crate::dispatch::claim::ClaimContext;
use crate::ledger;
use crate::orders::repo::{self, StoredAttempt};
use crate::orders::{Order, OrderRef, history};
use anyhow::Context;
use sluice_contract::order::OrderState;
use sluice_contract::sql::Conn;
use std::collections::HashSet;

/// Orders that were locked; the sets hold order ids.
pub(super) struct LockedOrders {
    pub orders: Vec<Order>,
    /// The history or the ledger says that they have ended.
    pub ended: HashSet<String>,
    /// Attempts of those that a channel has had before.
    pub attempts: Vec<StoredAttempt>,
    /// Orders with an attempt that may still pay: they are sent again under the same one.
    pub live: HashSet<String>,
}

/// Locks the orders, those left out that somebody else has, and looks in the same round trip
/// whether they have ended. The look follows the lock, so that it sees what the last holder
/// has written.
///
/// # Errors
/// The server's, or a row that can't be read.
pub(super) async fn lock(
    context: &ClaimContext<'_>,
    conn: &mut Conn,
    ids: &[OrderRef],
) -> anyhow::Result<LockedOrders> {
    let mut texts = vec![
        repo::lock_sql(ids.iter(), LockWait::Skip),
        history::repo::ended_sql(ids),
    ];
    // On a server of its own it would be one more that has to answer before anything is sent.
    if context.together {
        texts.push(ledger::repo::ended_sql(context.schemas, ids));
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut sets = conn.query_sets(&texts).await?.into_iter();
    let locked = sets.next().unwrap_or_default();
    let orders = locked
        .iter()
        .map(repo::from_row)
        .collect::<Result<Vec<_>, _>>()?;
    let mut ended = HashSet::new();
    for row in sets.flatten() {
        let id = row.get_opt(0).context("an end without its order")?;
        ended.insert(id.context("an end's order")?);
    }
    let attempts = attempts_of_resends(conn, &orders).await?;
    let live = attempts.iter().filter(|a| a.is_live);
    Ok(LockedOrders {
        live: live.map(|a| a.order_id.clone()).collect(),
        orders,
        ended,
        attempts,
    })
}

impl LockedOrders {
    /// Tells whether the order waits to be sent again although no attempt may still pay.
    pub fn lacks_attempt(&self, order: &Order) -> bool {
        order.was_sent() && order.state == OrderState::Init && !self.live.contains(&order.order_id)
    }
}

/// Attempts of the orders that a channel has had before.
async fn attempts_of_resends(
    conn: &mut Conn,
    orders: &[Order],
) -> anyhow::Result<Vec<StoredAttempt>> {
    let again = || orders.iter().filter(|o| o.attempts > 0);
    if again().next().is_none() {
        return Ok(Vec::new());
    }
    repo::attempts_of(conn, again()).await
}
