//! Step 1 of a booking at other servers: the orders' transaction, which writes keys, orders
//! and intents.

use crate::accept::decide::key_rows;
use crate::accept::known::KnownRequests;
use crate::accept::split_intent::new_intent;
use crate::accept::split_keys::{insist_on_settled, look_up_keys};
use crate::accept::split_refusals::{any_doubtful, hopeless};
use crate::accept::transaction::needs_look_up;
use crate::accept::{AcceptError, AcceptResult, AcceptedRequest, IdempotentRequest};
use crate::balance::BookingError;
use crate::intents::{self, BookingIntent};
use crate::metrics::METRICS;
use crate::orders::Order;
use crate::orders::repo::IdempotencyRow;
use crate::saga::BookingSaga;
use crate::transaction::Transaction;
use crate::unit_of_work::UnitOfWork;
use sluice_contract::clock::now_us;
use sluice_contract::sql::Conn;
use std::collections::HashSet;

/// Progress of a request after its intent was written or found.
pub(super) enum RequestProgress {
    Answered(AcceptResult),
    /// The booking is open: the intent of this order or booking decides.
    AwaitsBooking(AcceptedRequest),
}

/// Intents that the first transaction has written or found.
pub struct OpenedIntents {
    /// One for each request.
    pub(super) progress: Vec<RequestProgress>,
    /// To be driven.
    pub intents: Vec<BookingIntent>,
}

/// Rows of one batch, before they are written.
#[derive(Default)]
struct NewRows {
    orders: Vec<Order>,
    keys: Vec<IdempotencyRow>,
    /// Postings of this batch: account and id.
    postings: HashSet<(String, String)>,
    /// Names of this batch: client and name.
    names: HashSet<(String, String)>,
}

/// Opens the requests' intents in one transaction with the orders. `look_up` reads their
/// keys first.
///
/// # Errors
/// The server's; a duplicate key asks for another call with `look_up`.
pub async fn open(
    saga: &BookingSaga,
    requests: &[&IdempotentRequest],
    look_up: bool,
) -> anyhow::Result<OpenedIntents> {
    let mut conn = saga.orders.get_conn().await?;
    // A repeat must be known before it could be refused.
    let look_up = look_up || any_doubtful(saga, requests);
    let hopeless = hopeless(saga, requests).await?;
    let known = if look_up || requests.iter().any(|r| needs_look_up(r)) {
        look_up_keys(saga, &mut conn, requests).await?
    } else {
        KnownRequests::default()
    };
    let repeats = known.repeated();
    let mut open = intents::repo::of_orders(&mut conn, &repeats, saga.keys()).await?;
    let mut already_open = std::mem::take(&mut open.genuine);
    already_open.retain(BookingIntent::is_refusable);
    insist_on_settled(&mut conn, requests, &known, &already_open).await?;

    let now = now_us();
    let mut rows = NewRows::default();
    let mut opened = OpenedIntents {
        progress: Vec::with_capacity(requests.len()),
        intents: Vec::new(),
    };
    for request in requests {
        let progress = match known.answer(request) {
            // Whether it will be booked can't be told: no promise.
            Some(Ok(accepted)) if open.is_unknown(&accepted.order_id) => {
                RequestProgress::Answered(Err(AcceptError::Unavailable))
            }
            Some(result) => answer_repeat(result, &already_open),
            None if hopeless.contains(&(request.client.clone(), request.stored_key())) => {
                let refusal = request.booking.refusal(BookingError::Insufficient);
                RequestProgress::Answered(Err(refusal))
            }
            None => open_new(request, &mut rows, &mut opened.intents, now),
        };
        opened.progress.push(progress);
    }
    if !rows.keys.is_empty() {
        write(saga, &mut conn, rows, &opened.intents, now).await?;
    }
    opened.intents.append(&mut already_open);
    Ok(opened)
}

fn answer_repeat(result: AcceptResult, open: &[BookingIntent]) -> RequestProgress {
    match result {
        Ok(accepted) if open.iter().any(|i| i.order_id == accepted.order_id) => {
            RequestProgress::AwaitsBooking(accepted)
        }
        said => RequestProgress::Answered(said),
    }
}

/// Makes the rows of a request whose key is new.
fn open_new(
    request: &IdempotentRequest,
    rows: &mut NewRows,
    intents: &mut Vec<BookingIntent>,
    now_us: i64,
) -> RequestProgress {
    let names = request.names();
    let of = |text: &String| (request.client.clone(), text.clone());
    if names.iter().any(|(_, text)| rows.names.contains(&of(text))) {
        return RequestProgress::Answered(Err(AcceptError::InFlight));
    }
    let (order, intent) = new_intent(request, now_us);
    let posting = &intent.posting;
    let is_first = rows
        .postings
        .insert((posting.account_id.clone(), posting.posting_id.clone()));
    if !is_first {
        return RequestProgress::Answered(Err(AcceptError::InFlight));
    }
    rows.names.extend(names.iter().map(|(_, text)| of(text)));
    rows.keys.extend(key_rows(request, names, &intent.order_id));
    let accepted = AcceptedRequest {
        order_id: intent.order_id.clone(),
        replayed: false,
    };
    rows.orders.extend(order);
    intents.push(intent);
    RequestProgress::AwaitsBooking(accepted)
}

async fn write(
    saga: &BookingSaga,
    conn: &mut Conn,
    rows: NewRows,
    intents: &[BookingIntent],
    now_us: i64,
) -> anyhow::Result<()> {
    let unit_of_work = UnitOfWork {
        keys: rows.keys,
        new_orders: rows.orders.iter().collect(),
        intents: intents.to_vec(),
        ..UnitOfWork::default()
    };
    let transaction = Transaction::deferred(conn);
    unit_of_work
        .commit(transaction, saga.schemas(), saga.key(), now_us)
        .await?;
    METRICS
        .orders
        .with_label_values(&["booking"])
        .inc_by(rows.orders.len() as u64);
    Ok(())
}
