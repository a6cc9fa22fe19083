//! What became of sent orders: replies, callbacks, queries, cancellations and
//! recovery's verdicts all come here, are decided by `orders::state::step`, and
//! are written in batches.

mod apply;
mod lane;

use crate::channels::{Answer, Heard, INTERNAL};
use crate::dispatch::ReadyQueue;
use crate::orders::OrderRef;
use crate::orders::state::Event;
use mysql_async::Pool;
use quick_cache::sync::Cache;
use rust_decimal::Decimal;
use sluice_contract::money::Currency;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Lanes that write outcomes side by side.
const LANES: usize = 2;
/// Outcomes in one transaction at most.
const BATCH: usize = 128;
/// Outcomes waiting per lane; senders wait beyond it.
const QUEUE: usize = 4_096;
/// Sent orders whose account is remembered (about 10 MB).
const REMEMBERED: usize = 50_000;

/// One thing heard about one order.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub at: OrderRef,
    pub event: Event,
    /// The channel that speaks; `None` for recovery and upstreams.
    pub channel: Option<&'static str>,
    /// The channel's code, for people.
    pub code: Option<String>,
    /// The amount that the channel speaks of, if it says.
    pub amount: Option<Decimal>,
    /// The currency of that amount, if it says.
    pub currency: Option<Currency>,
    /// The account that it says was paid.
    pub to_account: Option<String>,
    /// Ask the channel at once instead of after the usual wait.
    pub query_now: bool,
}

impl Outcome {
    pub fn new(at: OrderRef, event: Event) -> Self {
        Outcome {
            at,
            event,
            channel: None,
            code: None,
            amount: None,
            currency: None,
            to_account: None,
            query_now: false,
        }
    }

    /// A settlement's money moves within the books: claimed is as good as paid.
    pub fn settled(at: OrderRef) -> Self {
        Outcome { channel: Some(INTERNAL), ..Outcome::new(at, Event::Succeeded) }
    }

    pub fn heard(at: OrderRef, channel: &'static str, heard: Heard) -> Self {
        let event = match heard.answer {
            Answer::Accepted => Event::Accepted,
            Answer::Succeeded => Event::Succeeded,
            Answer::Declined => Event::Declined,
            Answer::Unknown | Answer::Duplicate => Event::Unknown,
            Answer::NoSuchTrade => Event::NoSuchTrade,
            Answer::Returned => Event::Returned,
        };
        Outcome {
            at,
            event,
            channel: Some(channel),
            code: Some(heard.code),
            amount: heard.amount,
            currency: heard.currency,
            to_account: heard.to_account,
            query_now: heard.answer == Answer::Duplicate,
        }
    }
}

/// How an outcome was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    Moved,
    Already,
    /// Recorded as a contradiction; the order stays as it was.
    Contradiction,
    Refused,
    NoSuchOrder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the outcome could not be written; it will be asked for again")]
pub struct NotRecorded;

struct Pending {
    outcome: Outcome,
    answer: oneshot::Sender<Result<Taken, NotRecorded>>,
}

/// Entrance for outcomes; cheap to clone.
#[derive(Clone)]
pub struct Outcomes {
    lanes: Vec<mpsc::Sender<Pending>>,
    /// Accounts of orders that this instance sent, so that their callbacks need no
    /// lookup: order id → account.
    sent: Arc<Cache<String, String>>,
}

/// Waits that follow a move, from the recovery settings.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    pub first_query_us: i64,
    pub callback_us: i64,
}

impl Outcomes {
    pub fn start(pool: &Pool, schemas: &Schemas, key: &Secret, waits: Waits, ready: &ReadyQueue) -> Self {
        let lanes = (0..LANES)
            .map(|_| {
                let (sender, receiver) = mpsc::channel(QUEUE);
                let lane = lane::Lane {
                    pool: pool.clone(),
                    schemas: schemas.clone(),
                    key: key.clone(),
                    waits,
                    ready: ready.clone(),
                    conn: None,
                };
                tokio::spawn(lane.run(receiver));
                sender
            })
            .collect();
        Outcomes { lanes, sent: Arc::new(Cache::new(REMEMBERED)) }
    }

    /// Keeps in mind whose order was just sent.
    pub fn remember(&self, order: &OrderRef) {
        self.sent.insert(order.order_id.clone(), order.account_id.clone());
    }

    pub fn remembered(&self, order_id: &str) -> Option<OrderRef> {
        self.sent.get(order_id).map(|account| OrderRef::new(&account, order_id))
    }

    /// Applies the outcome; returns after the commit.
    pub async fn record(&self, outcome: Outcome) -> Result<Taken, NotRecorded> {
        // One order always takes the same lane, so its outcomes stay in order.
        let lane = crc_of(&outcome.at.order_id) % self.lanes.len();
        let (answer, taken) = oneshot::channel();
        self.lanes[lane].send(Pending { outcome, answer }).await.map_err(|_| NotRecorded)?;
        taken.await.unwrap_or(Err(NotRecorded))
    }
}

fn crc_of(order_id: &str) -> usize {
    sluice_contract::ids::bucket_of(order_id) as usize
}
