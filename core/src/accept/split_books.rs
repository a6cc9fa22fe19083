//! Accepting while balance and ledger are on servers of their own. The batch's keys,
//! orders and intents are one transaction; then the saga drives the intents, and each
//! caller is told what became of its own.
//!
//! A caller who gets 503 was promised nothing and refused nothing: the intent, if it
//! was written, is driven to its end later. A repeat with the same key drives it too
//! and learns the truth.

use crate::accept::decide::new_order;
use crate::accept::writer::{AcceptFailure, MAX_ATTEMPTS, classify, pause};
use crate::accept::{
    AcceptError, AcceptResult, AcceptedRequest, BookingRequest, IdempotentRequest, replay,
};
use crate::intents::{BookingIntent, BookingResult};
use crate::ledger::{Posting, PostingKind};
use crate::metrics::METRICS;
use crate::orders::repo::{self, IdempotencyRow};
use crate::orders::{Order, OrderRef};
use crate::saga::BookingSaga;
use crate::unit_of_work::UnitOfWork;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::ids::new_order_id;
use sluice_contract::order::{OrderKind, OrderState};
use sluice_contract::sql;
use std::collections::{HashMap, HashSet};

/// Where a request stands after its intent was written or found.
enum RequestProgress {
    Answered(AcceptResult),
    /// Its booking is open: the intent of this order or booking decides.
    AwaitsBooking(AcceptedRequest),
}

/// What the first transaction has written or found.
pub struct OpenedIntents {
    stands: Vec<RequestProgress>,
    /// To be driven.
    pub intents: Vec<BookingIntent>,
}

/// Books a batch; one result for each request.
pub async fn book(saga: &BookingSaga, asks: &[&IdempotentRequest]) -> Vec<AcceptResult> {
    let unavailable = || asks.iter().map(|_| Err(AcceptError::Unavailable)).collect();
    if saga.is_away() {
        return unavailable();
    }
    let (mut look_up, mut in_doubt) = (false, false);
    for attempt in 0..MAX_ATTEMPTS {
        let tried = tokio::time::timeout(sql::TRANSACTION_TIMEOUT, open(saga, asks, look_up)).await;
        let error = match tried.map_err(anyhow::Error::from).flatten() {
            Ok(opened) => return settle(saga, opened, asks).await,
            Err(error) => error,
        };
        let mut again = classify(&error);
        if matches!(again, AcceptFailure::LookUpKeys) && look_up && attempt > 1 {
            // Two requests of the batch are after the same posting.
            again = AcceptFailure::Poison;
        }
        tracing::warn!(attempt, "writing intents runs again: {error:#}");
        look_up |= !matches!(again, AcceptFailure::Retry);
        in_doubt |= matches!(again, AcceptFailure::Reconnect);
        match again {
            AcceptFailure::Poison if asks.len() > 1 => {
                let mut results = Vec::with_capacity(asks.len());
                for ask in asks {
                    results.extend(Box::pin(book(saga, std::slice::from_ref(ask))).await);
                }
                return results;
            }
            AcceptFailure::Poison if !in_doubt => return vec![Err(AcceptError::Unbookable)],
            AcceptFailure::Poison => return unavailable(),
            again => tokio::time::sleep(pause(&again, attempt)).await,
        }
    }
    unavailable()
}

/// Drives what is open and tells each its own.
async fn settle(
    saga: &BookingSaga,
    opened: OpenedIntents,
    asks: &[&IdempotentRequest],
) -> Vec<AcceptResult> {
    let mut done: HashMap<String, BookingResult> = HashMap::new();
    match saga.drive(opened.intents).await {
        Ok(driven) => {
            let asking = driven
                .into_iter()
                .filter(|(intent, _)| intent.is_refusable());
            done.extend(asking.filter_map(|(intent, done)| Some((intent.order_id, done?))));
        }
        Err(error) => tracing::warn!("accepted requests wait for their booking: {error:#}"),
    }
    let result = |(stand, request): (RequestProgress, &&IdempotentRequest)| match stand {
        RequestProgress::Answered(result) => result,
        RequestProgress::AwaitsBooking(accepted) => match done.get(&accepted.order_id) {
            Some(BookingResult::Booked) => Ok(accepted),
            Some(BookingResult::Refused(error)) => Err(request.booking.refusal(*error)),
            None => Err(AcceptError::Unavailable),
        },
    };
    opened.stands.into_iter().zip(asks).map(result).collect()
}

/// Step 1: one transaction with the orders. `look_up` reads the requests' keys first.
///
/// # Errors
/// The server's; a duplicate key asks for another call with `look_up`.
pub async fn open(
    saga: &BookingSaga,
    asks: &[&IdempotentRequest],
    look_up: bool,
) -> anyhow::Result<OpenedIntents> {
    let mut conn = saga.orders.get_conn().await?;
    let mut opened = OpenedIntents {
        stands: Vec::with_capacity(asks.len()),
        intents: Vec::new(),
    };
    let known = if look_up {
        look_up_keys(saga, &mut conn, asks).await?
    } else {
        HashMap::new()
    };
    let repeats: Vec<OrderRef> = known
        .values()
        .map(|k| OrderRef::new(&k.account_id, &k.order_id))
        .collect();
    let mut open_ones = crate::intents::repo::of_orders(&mut conn, &repeats, &saga.key).await?;
    open_ones.retain(BookingIntent::is_refusable);

    let now = now_us();
    let (mut orders, mut keys, mut taken): (
        Vec<Order>,
        Vec<IdempotencyRow>,
        HashSet<(String, String)>,
    ) = Default::default();
    for request in asks {
        if let Some(row) = known.get(&(request.client.clone(), request.key.clone())) {
            opened.stands.push(answer_repeat(row, request, &open_ones));
            continue;
        }
        let (order, intent) = new_intent(request, now);
        let posting = &intent.posting;
        if !taken.insert((posting.account_id.clone(), posting.posting_id.clone())) {
            opened
                .stands
                .push(RequestProgress::Answered(Err(AcceptError::InFlight)));
            continue;
        }
        keys.push(IdempotencyRow {
            client: request.client.clone(),
            key: request.key.clone(),
            request_hash: request.request_hash.clone(),
            account_id: posting.account_id.clone(),
            order_id: intent.order_id.clone(),
        });
        opened
            .stands
            .push(RequestProgress::AwaitsBooking(AcceptedRequest {
                order_id: intent.order_id.clone(),
                replayed: false,
            }));
        orders.extend(order);
        opened.intents.push(intent);
    }
    if !keys.is_empty() {
        let count = orders.len() as u64;
        let unit_of_work = UnitOfWork {
            keys,
            new_orders: orders.iter().collect(),
            intents: opened.intents.clone(),
            ..UnitOfWork::default()
        };
        let text = unit_of_work.commit_sql(saga.schemas(), &saga.key, now)?;
        conn.query_drop(format!("START TRANSACTION;{text}")).await?;
        METRICS.orders.with_label_values(&["booking"]).inc_by(count);
    }
    opened.intents.append(&mut open_ones);
    Ok(opened)
}

/// Keys that were used before. What is open under the same postings but another key
/// is driven first, so that its outcome is there to answer these requests.
async fn look_up_keys(
    saga: &BookingSaga,
    conn: &mut Conn,
    asks: &[&IdempotentRequest],
) -> anyhow::Result<HashMap<(String, String), IdempotencyRow>> {
    let wanted: Vec<_> = asks
        .iter()
        .map(|k| (k.client.as_str(), k.key.as_str()))
        .collect();
    let known = repo::find_keys(conn, &wanted).await?;
    let fresh = asks
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
    let others = crate::intents::repo::of_postings(conn, &ids, &saga.key).await?;
    if !others.is_empty() {
        saga.drive(others).await?;
    }
    Ok(known)
}

fn answer_repeat(
    row: &IdempotencyRow,
    request: &IdempotentRequest,
    open: &[BookingIntent],
) -> RequestProgress {
    match replay(&row.request_hash, &row.order_id, &request.request_hash) {
        Ok(accepted) if open.iter().any(|i| i.order_id == row.order_id) => {
            RequestProgress::AwaitsBooking(accepted)
        }
        said => RequestProgress::Answered(said),
    }
}

/// The posting of money that comes in.
fn incoming_posting(ask: &BookingRequest) -> Option<Posting> {
    match ask {
        BookingRequest::Withdraw(_) => None,
        BookingRequest::Deposit(d) => Some(Posting::deposit(
            &d.account_id,
            &d.biz_no,
            d.amount,
            d.currency,
        )),
        BookingRequest::Capture(c) => Some(Posting::capture(
            &c.account_id,
            &c.payment_no,
            c.amount,
            c.currency,
        )),
    }
}

/// The order, if the request makes one, and its booking to be made.
fn new_intent(request: &IdempotentRequest, now_us: i64) -> (Option<Order>, BookingIntent) {
    let order = match &request.booking {
        BookingRequest::Withdraw(w) => Some(new_order(request, w, OrderState::Booking, now_us)),
        BookingRequest::Deposit(_) | BookingRequest::Capture(_) => None,
    };
    let posting = order
        .as_ref()
        .map(|o| Posting::of_order(o, PostingKind::Reserve))
        .or(incoming_posting(&request.booking));
    let Some(posting) = posting else {
        unreachable!("every request books something")
    };
    let intent = BookingIntent {
        order_id: order
            .as_ref()
            .map_or_else(|| new_order_id(&posting.account_id), |o| o.order_id.clone()),
        kind: order.as_ref().map_or(OrderKind::CashOut, |o| o.kind),
        payment_no: request
            .booking
            .payment()
            .map(|(_, payment)| payment.to_owned()),
        client: request.client.clone(),
        key: request.key.clone(),
        created_us: now_us,
        posting,
    };
    (order, intent)
}
