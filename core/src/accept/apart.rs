//! Accepting while balance and ledger are on servers of their own. The batch's keys,
//! orders and intents are one transaction; then the saga drives the intents, and each
//! caller is told what became of its own.
//!
//! A caller who gets 503 was promised nothing and refused nothing: the intent, if it
//! was written, is driven to its end later. A repeat with the same key drives it too
//! and learns the truth.

use super::decide::new_order;
use super::lane::{Again, TRIES, classify, pause};
use super::{Accepted, Ask, Keyed, Refusal, Verdict, replay};
use crate::journal::Journal;
use crate::ledger::{Posting, PostingKind};
use crate::metrics::METRICS;
use crate::orders::repo::KeyRow;
use crate::orders::{Order, OrderRef, repo};
use crate::saga::{self, Done, Intent, Saga};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use sluice_contract::clock::now_us;
use sluice_contract::ids::new_order_id;
use sluice_contract::order::{Kind, State};
use sluice_contract::sql;
use std::collections::{HashMap, HashSet};

/// Where a request stands after its intent was written or found.
enum Stand {
    Said(Verdict),
    /// Its booking is open: the intent of this order or booking decides.
    Waits(Accepted),
}

/// What the first transaction has written or found.
pub struct Opened {
    stands: Vec<Stand>,
    /// To be driven.
    pub intents: Vec<Intent>,
}

/// Books a batch; one verdict for each request.
pub async fn book(saga: &Saga, asks: &[&Keyed]) -> Vec<Verdict> {
    let unavailable = || asks.iter().map(|_| Err(Refusal::Unavailable)).collect();
    if saga.is_away() {
        return unavailable();
    }
    let (mut look_up, mut in_doubt) = (false, false);
    for attempt in 0..TRIES {
        let tried = tokio::time::timeout(sql::PATIENCE, open(saga, asks, look_up)).await;
        let error = match tried.map_err(anyhow::Error::from).flatten() {
            Ok(opened) => return settle(saga, opened, asks).await,
            Err(error) => error,
        };
        let mut again = classify(&error);
        if matches!(again, Again::LookUpKeys) && look_up && attempt > 1 {
            // Two requests of the batch are after the same posting.
            again = Again::Poison;
        }
        tracing::warn!(attempt, "writing intents runs again: {error:#}");
        look_up |= !matches!(again, Again::Retry);
        in_doubt |= matches!(again, Again::Reconnect);
        match again {
            Again::Poison if asks.len() > 1 => {
                let mut verdicts = Vec::with_capacity(asks.len());
                for ask in asks {
                    verdicts.extend(Box::pin(book(saga, std::slice::from_ref(ask))).await);
                }
                return verdicts;
            }
            Again::Poison if !in_doubt => return vec![Err(Refusal::Unbookable)],
            Again::Poison => return unavailable(),
            again => tokio::time::sleep(pause(&again, attempt)).await,
        }
    }
    unavailable()
}

/// Drives what is open and tells each its own.
async fn settle(saga: &Saga, opened: Opened, asks: &[&Keyed]) -> Vec<Verdict> {
    let mut done: HashMap<String, Done> = HashMap::new();
    match saga.drive(opened.intents).await {
        Ok(driven) => {
            let asking = driven.into_iter().filter(|(intent, _)| intent.is_asking());
            done.extend(asking.filter_map(|(intent, done)| Some((intent.order_id, done?))));
        }
        Err(error) => tracing::warn!("accepted requests wait for their booking: {error:#}"),
    }
    let verdict = |(stand, keyed): (Stand, &&Keyed)| match stand {
        Stand::Said(verdict) => verdict,
        Stand::Waits(accepted) => match done.get(&accepted.order_id) {
            Some(Done::Booked) => Ok(accepted),
            Some(Done::Refused(error)) => Err(keyed.ask.refusal(*error)),
            None => Err(Refusal::Unavailable),
        },
    };
    opened.stands.into_iter().zip(asks).map(verdict).collect()
}

/// Step 1: one transaction with the orders. `look_up` reads the requests' keys first.
///
/// # Errors
/// The server's; a duplicate key asks for another call with `look_up`.
pub async fn open(saga: &Saga, asks: &[&Keyed], look_up: bool) -> anyhow::Result<Opened> {
    let mut conn = saga.orders.get_conn().await?;
    let mut opened = Opened {
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
    let mut open_ones = saga::repo::of_orders(&mut conn, &repeats, &saga.key).await?;
    open_ones.retain(Intent::is_asking);

    let now = now_us();
    let (mut orders, mut keys, mut taken): (Vec<Order>, Vec<KeyRow>, HashSet<(String, String)>) =
        Default::default();
    for keyed in asks {
        if let Some(row) = known.get(&(keyed.client.clone(), keyed.key.clone())) {
            opened.stands.push(repeat(row, keyed, &open_ones));
            continue;
        }
        let (order, intent) = intend(keyed, now);
        let posting = &intent.posting;
        if !taken.insert((posting.account_id.clone(), posting.posting_id.clone())) {
            opened.stands.push(Stand::Said(Err(Refusal::InFlight)));
            continue;
        }
        keys.push(KeyRow {
            client: keyed.client.clone(),
            key: keyed.key.clone(),
            request_hash: keyed.request_hash.clone(),
            account_id: posting.account_id.clone(),
            order_id: intent.order_id.clone(),
        });
        opened.stands.push(Stand::Waits(Accepted {
            order_id: intent.order_id.clone(),
            replayed: false,
        }));
        orders.extend(order);
        opened.intents.push(intent);
    }
    if !keys.is_empty() {
        let count = orders.len() as u64;
        let journal = Journal {
            keys,
            new_orders: orders.iter().collect(),
            intents: opened.intents.clone(),
            ..Journal::default()
        };
        let text = journal.commit_sql(saga.schemas(), &saga.key, now)?;
        conn.query_drop(format!("START TRANSACTION;{text}")).await?;
        METRICS.orders.with_label_values(&["booking"]).inc_by(count);
    }
    opened.intents.append(&mut open_ones);
    Ok(opened)
}

/// Keys that were used before. What is open under the same postings but another key
/// is driven first, so that its outcome is there to answer these requests.
async fn look_up_keys(
    saga: &Saga,
    conn: &mut Conn,
    asks: &[&Keyed],
) -> anyhow::Result<HashMap<(String, String), KeyRow>> {
    let wanted: Vec<_> = asks
        .iter()
        .map(|k| (k.client.as_str(), k.key.as_str()))
        .collect();
    let known = repo::find_keys(conn, &wanted).await?;
    let fresh = asks
        .iter()
        .filter(|k| !known.contains_key(&(k.client.clone(), k.key.clone())));
    let ids: Vec<(String, String)> = fresh
        .filter_map(|k| incoming(&k.ask))
        .map(|p| (p.account_id, p.posting_id))
        .collect();
    let ids: Vec<(&str, &str)> = ids
        .iter()
        .map(|(account, id)| (account.as_str(), id.as_str()))
        .collect();
    let others = saga::repo::of_postings(conn, &ids, &saga.key).await?;
    if !others.is_empty() {
        saga.drive(others).await?;
    }
    Ok(known)
}

fn repeat(row: &KeyRow, keyed: &Keyed, open: &[Intent]) -> Stand {
    match replay(&row.request_hash, &row.order_id, &keyed.request_hash) {
        Ok(accepted) if open.iter().any(|i| i.order_id == row.order_id) => Stand::Waits(accepted),
        said => Stand::Said(said),
    }
}

/// The posting of money that comes in.
fn incoming(ask: &Ask) -> Option<Posting> {
    match ask {
        Ask::Withdraw(_) => None,
        Ask::Deposit(d) => Some(Posting::deposit(
            &d.account_id,
            &d.biz_no,
            d.amount,
            d.currency,
        )),
        Ask::Capture(c) => Some(Posting::capture(
            &c.account_id,
            &c.payment_no,
            c.amount,
            c.currency,
        )),
    }
}

/// The order, if the request makes one, and its booking to be made.
fn intend(keyed: &Keyed, now_us: i64) -> (Option<Order>, Intent) {
    let order = match &keyed.ask {
        Ask::Withdraw(w) => Some(new_order(keyed, w, State::Booking, now_us)),
        Ask::Deposit(_) | Ask::Capture(_) => None,
    };
    let posting = order
        .as_ref()
        .map(|o| Posting::of_order(o, PostingKind::Reserve))
        .or(incoming(&keyed.ask));
    let Some(posting) = posting else {
        unreachable!("every request books something")
    };
    let intent = Intent {
        order_id: order
            .as_ref()
            .map_or_else(|| new_order_id(&posting.account_id), |o| o.order_id.clone()),
        kind: order.as_ref().map_or(Kind::CashOut, |o| o.kind),
        payment_no: keyed.ask.payment().map(|(_, payment)| payment.to_owned()),
        client: keyed.client.clone(),
        key: keyed.key.clone(),
        created_us: now_us,
        posting,
    };
    (order, intent)
}
