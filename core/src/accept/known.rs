//! Requests that were made before: found by any of their names, and answered with the
//! first order, or with the field in which they differ from it.

use crate::accept::transaction::names_predecessor;
use crate::accept::{
    AcceptError, AcceptResult, AcceptedRequest, BookingRequest, IdempotentRequest,
    WithdrawalBooking, replay,
};
use crate::cases;
use crate::orders::names::{RequestName, is_generated};
use crate::orders::repo::{self, IdempotencyRow};
use crate::orders::{Order, OrderRef};
use mysql_async::prelude::Queryable;
use sluice_contract::order::{OrderKind, OrderState};
use std::collections::HashMap;

/// Length of the transaction ids that the core made before they had a prefix: a UUIDv7 as
/// 32 hex digits.
const OLD_GENERATED_LEN: usize = 32;

/// Everything that is stored of a batch's names.
#[derive(Debug, Default)]
pub(super) struct KnownRequests {
    rows: HashMap<(String, String), IdempotencyRow>,
    /// First orders that have to be compared, and predecessors.
    orders: HashMap<String, Order>,
    /// Orders whose rows in `idempotency` are gone, by account and identity.
    by_identity: HashMap<(String, String), Order>,
    /// Predecessors whose channel has said since that it paid.
    contradicted: Vec<String>,
}

/// Reads what is stored of these requests' names.
///
/// | statement | round trips |
/// |---|---|
/// | SELECT rows of `idempotency`, by client | 1 a client |
/// | SELECT orders by identity, of requests without a row | 0 or 1 |
/// | SELECT first orders of what differs, and predecessors | 0 or 1 |
/// | SELECT open contradictions of predecessors | 0 or 1 |
pub(super) async fn look_up(
    conn: &mut impl Queryable,
    requests: &[&IdempotentRequest],
) -> anyhow::Result<KnownRequests> {
    let names: Vec<(&str, String)> = requests
        .iter()
        .flat_map(|r| {
            let names = r.names().into_iter();
            names.map(|(_, name)| (r.client.as_str(), name))
        })
        .collect();
    let wanted: Vec<_> = names.iter().map(|(c, n)| (*c, n.as_str())).collect();
    let mut known = KnownRequests {
        rows: repo::find_keys(conn, &wanted).await?,
        ..KnownRequests::default()
    };
    known.find_by_identity(conn, requests).await?;
    known.read_orders(conn, requests).await?;
    Ok(known)
}

impl KnownRequests {
    async fn find_by_identity(
        &mut self,
        conn: &mut impl Queryable,
        requests: &[&IdempotentRequest],
    ) -> anyhow::Result<()> {
        let identities: Vec<(&str, String)> = requests
            .iter()
            .filter(|r| matches!(r.booking, BookingRequest::Withdraw(_)))
            .filter(|r| self.row(r).is_none())
            .map(|r| (r.booking.account_id(), r.identity()))
            .collect();
        let wanted: Vec<_> = identities.iter().map(|(a, i)| (*a, i.as_str())).collect();
        for order in repo::by_identity(conn, &wanted).await? {
            tracing::error!(order = %order.order_id, account = %order.account_id,
                "a request is repeated whose rows in idempotency are gone: somebody deleted them");
            let identity = order.identity.clone().unwrap_or_default();
            self.by_identity
                .insert((order.account_id.clone(), identity), order);
        }
        Ok(())
    }

    async fn read_orders(
        &mut self,
        conn: &mut impl Queryable,
        requests: &[&IdempotentRequest],
    ) -> anyhow::Result<()> {
        let mut wanted: Vec<OrderRef> = Vec::new();
        for request in requests {
            let BookingRequest::Withdraw(w) = &request.booking else {
                continue;
            };
            match self.row(request) {
                Some((_, row)) if row.request_hash == request.request_hash => {}
                Some((_, row)) => wanted.push(OrderRef::new(&row.account_id, &row.order_id)),
                None => wanted.extend(
                    w.predecessor_id
                        .as_deref()
                        .map(|id| OrderRef::new(&w.account_id, id)),
                ),
            }
        }
        let orders = repo::read(conn, wanted.iter()).await?;
        if !wanted.is_empty() && requests.iter().any(|r| names_predecessor(r)) {
            let named = wanted.iter();
            let named = named.map(|o| (o.account_id.as_str(), o.order_id.as_str()));
            self.contradicted = cases::repo::contradicted(conn, named).await?;
        }
        self.orders = orders
            .into_iter()
            .map(|o| (o.order_id.clone(), o))
            .collect();
        Ok(())
    }

    /// The row of the request's first name that has one.
    fn row(&self, request: &IdempotentRequest) -> Option<(RequestName, &IdempotencyRow)> {
        request.names().into_iter().find_map(|(name, text)| {
            let row = self.rows.get(&(request.client.clone(), text))?;
            Some((name, row))
        })
    }

    /// Orders and bookings that these requests repeat.
    pub(super) fn repeated(&self) -> Vec<OrderRef> {
        let rows = self.rows.values();
        rows.map(|k| OrderRef::new(&k.account_id, &k.order_id))
            .collect()
    }

    /// Answers a request that was made before, or that may not be made.
    pub(super) fn answer(&self, request: &IdempotentRequest) -> Option<AcceptResult> {
        let BookingRequest::Withdraw(booking) = &request.booking else {
            let Some((_, row)) = self.row(request) else {
                return request.repeat_only.then_some(Err(AcceptError::NotRepeated));
            };
            return Some(replay(
                &row.request_hash,
                &row.order_id,
                &request.request_hash,
            ));
        };
        if let Some((name, row)) = self.row(request) {
            if row.request_hash == request.request_hash {
                return Some(Ok(repeat_of(&row.order_id)));
            }
            return Some(match self.orders.get(&row.order_id) {
                Some(first) => compare(first, booking, name),
                None => Err(AcceptError::KeyReused),
            });
        }
        let identity = (booking.account_id.clone(), request.identity());
        if let Some(first) = self.by_identity.get(&identity) {
            return Some(compare(first, booking, RequestName::Key));
        }
        if request.repeat_only {
            return Some(Err(AcceptError::NotRepeated));
        }
        let refusal = self.predecessor_refusal(request, booking)?;
        Some(Err(AcceptError::BadPredecessor(refusal)))
    }

    /// Says why the order that the request names can't be tried again by it.
    fn predecessor_refusal(
        &self,
        request: &IdempotentRequest,
        booking: &WithdrawalBooking,
    ) -> Option<&'static str> {
        let id = booking.predecessor_id.as_deref()?;
        let is_callers = |o: &&Order| {
            o.client == request.client
                && o.key_scope.as_deref().unwrap_or_default() == request.scope
                && o.kind == booking.kind
        };
        let Some(order) = self.orders.get(id).filter(is_callers) else {
            return Some("no such order of this account");
        };
        if order.biz_no != booking.biz_no {
            return Some("that order has another bizNo");
        }
        if order.state != OrderState::Failed {
            return Some("that order has not failed");
        }
        // Its names are free: a request under them and one that names it would both be paid.
        // Orders from before the identity had no seal either.
        if order.identity.is_none() && order.request_mac.is_some() {
            return Some(
                "that order was refused before it counted: ask again without predecessorId",
            );
        }
        // Paid after all, as its channel says now: a person decides first.
        let is_contradicted = self.contradicted.contains(&order.order_id);
        is_contradicted.then_some("that order waits for a person: its channel says otherwise")
    }
}

fn repeat_of(order_id: &str) -> AcceptedRequest {
    AcceptedRequest {
        order_id: order_id.to_owned(),
        replayed: true,
    }
}

/// Answers with the first order if it is the same request.
pub(super) fn compare(
    first: &Order,
    booking: &WithdrawalBooking,
    name: RequestName,
) -> AcceptResult {
    match difference(first, booking) {
        None => Ok(repeat_of(&first.order_id)),
        Some(field) => Err(AcceptError::Differs { name, field }),
    }
}

/// The first field in which a request differs from the order that its name stands for.
fn difference(first: &Order, w: &WithdrawalBooking) -> Option<&'static str> {
    let account = match w.kind {
        OrderKind::CashOut => "fromAccountId",
        OrderKind::Settlement | OrderKind::Refund => "accountId",
    };
    // Once it was routed, an order names the channel that was chosen, not the wish.
    let same_wish = first.channel == w.channel || (first.attempts > 0 && w.channel.is_none());
    let fields = [
        ("kind", first.kind == w.kind),
        (account, first.account_id == w.account_id),
        ("toAccountId", first.to_account == w.to_account),
        ("amount", first.amount == w.amount),
        ("currency", first.currency == w.currency),
        ("userId", first.user_id == w.user_id),
        ("bizNo", first.biz_no == w.biz_no),
        ("bankCode", first.bank == w.bank),
        ("paymentNo", first.payment_no == w.payment_no),
        ("channel", same_wish),
        ("predecessorId", first.predecessor_id == w.predecessor_id),
        (
            "transactionId",
            same_transaction(&first.transaction_id, &w.transaction_id),
        ),
    ];
    fields
        .into_iter()
        .find(|(_, same)| !same)
        .map(|(field, _)| field)
}

/// Compares transaction ids; one that the core made says nothing.
fn same_transaction(first: &str, asked: &str) -> bool {
    let is_callers = |id: &str| !id.is_empty() && !is_generated(id);
    match (is_callers(first), is_callers(asked)) {
        (_, true) => first == asked,
        (true, false) => is_old_generated(first),
        (false, false) => true,
    }
}

fn is_old_generated(id: &str) -> bool {
    id.len() == OLD_GENERATED_LEN
        && id.as_bytes()[12] == b'7'
        && id.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
#[path = "known_tests.rs"]
mod tests;
