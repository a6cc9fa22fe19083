//! What became of sent orders: replies, callbacks, queries, cancellations and
//! recovery's verdicts all come here, are decided by `orders::state::step`, and
//! are written in batches.

mod apply;
#[cfg(test)]
mod late_tests;
mod note;

mod transaction;
mod writer;

use crate::backoff::backoff_us;
use crate::channels::{ChannelAnswer, ChannelResult, INTERNAL_CHANNEL};
use crate::config::CoreConfig;
use crate::orders::OrderRef;
use crate::orders::state::OrderInput;
use crate::outcome::transaction::OutcomeTransaction;
use crate::outcome::writer::{OutcomeWriter, PendingOutcome};
use crate::ready_queue::ReadyQueue;
use crate::saga::SagaFollower;
use mysql_async::Pool;
use quick_cache::sync::Cache;
use rust_decimal::Decimal;
use sluice_contract::money::Currency;
use sluice_contract::schema::Schemas;
use sluice_contract::settings::Secret;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Lanes that write outcomes side by side.
const WRITER_COUNT: usize = 2;
/// Outcomes waiting per lane; senders wait beyond it.
const QUEUE_CAPACITY: usize = 4_096;
/// Sent orders whose account is remembered (about 10 MB).
const MAX_REMEMBERED_ORDERS: usize = 50_000;

/// One thing heard about one order.
#[derive(Debug, Clone)]
pub struct OrderOutcome {
    pub at: OrderRef,
    pub event: OrderInput,
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
    /// What the channel answers to.
    pub answers: AnswerTo,
    /// For people: what an order that is not sent waits for.
    pub detail: Option<String>,
}

/// What an outcome is the answer to. Under one serial number an order may have gone
/// out several times, from several instances: an answer to an earlier sending says
/// nothing of the one that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnswerTo {
    /// To that sending, by its number.
    Send(i64),
    /// To a query made when the order had gone out so often.
    Query(i64),
    /// To nothing: a callback, an upstream, recovery itself.
    #[default]
    Nothing,
}

impl OrderOutcome {
    pub fn new(at: OrderRef, event: OrderInput) -> Self {
        OrderOutcome {
            at,
            event,
            channel: None,
            code: None,
            amount: None,
            currency: None,
            to_account: None,
            query_now: false,
            answers: AnswerTo::Nothing,
            detail: None,
        }
    }

    /// The reply to the order's sending of this number.
    pub fn of_send(self, number: i64) -> Self {
        OrderOutcome {
            answers: AnswerTo::Send(number),
            ..self
        }
    }

    /// The reply to a query made after this many sendings.
    pub fn of_query(self, sends: i64) -> Self {
        OrderOutcome {
            answers: AnswerTo::Query(sends),
            ..self
        }
    }

    /// A settlement's money moves within the books: claimed is as good as paid.
    pub fn settled(at: OrderRef) -> Self {
        OrderOutcome {
            channel: Some(INTERNAL_CHANNEL),
            ..OrderOutcome::new(at, OrderInput::Succeeded)
        }
    }

    pub fn heard(at: OrderRef, channel: &'static str, heard: ChannelResult) -> Self {
        let event = match heard.answer {
            ChannelAnswer::Accepted => OrderInput::Accepted,
            ChannelAnswer::Succeeded => OrderInput::Succeeded,
            ChannelAnswer::Declined => OrderInput::Declined,
            ChannelAnswer::NotHere => OrderInput::NotHere,
            ChannelAnswer::Unknown | ChannelAnswer::Duplicate => OrderInput::Unknown,
            ChannelAnswer::NoSuchTrade => OrderInput::NoSuchTrade,
            ChannelAnswer::Returned => OrderInput::Returned,
        };
        OrderOutcome {
            channel: Some(channel),
            code: Some(heard.code),
            amount: heard.amount,
            currency: heard.currency,
            to_account: heard.to_account,
            query_now: heard.answer == ChannelAnswer::Duplicate,
            ..OrderOutcome::new(at, event)
        }
    }
}

/// How an outcome was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeResult {
    Moved,
    Already,
    /// Recorded as a contradiction; the order stays as it was.
    Contradiction,
    Refused,
    /// Asked for again too soon: see [`RENOTIFY_INTERVAL_US`].
    TooSoon,
    NoSuchOrder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the outcome could not be written; it will be asked for again")]
pub struct OutcomeNotRecorded;

/// Entrance for outcomes; cheap to clone.
#[derive(Clone)]
pub struct OutcomeRecorder {
    lanes: Vec<mpsc::Sender<PendingOutcome>>,
    /// Accounts of orders that this instance sent, so that their callbacks need no
    /// lookup: order id → account.
    sent: Arc<Cache<String, String>>,
}

/// An order's event is told again on request once in this time.
pub const RENOTIFY_INTERVAL_US: i64 = 1_000_000;

/// Waits that follow a move, from the settings.
#[derive(Debug, Clone, Default)]
pub struct OutcomeDelays {
    pub first_query_us: i64,
    pub callback_us: i64,
    pub ack_policy: AckPolicy,
}

impl OutcomeDelays {
    pub fn of(config: &CoreConfig) -> Self {
        let us = |ms: u64| i64::try_from(ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let (recovery, acknowledgement) = (&config.recovery, &config.acknowledgement);
        OutcomeDelays {
            first_query_us: us(recovery.query_initial_delay_ms),
            callback_us: us(recovery.callback_wait_ms),
            ack_policy: AckPolicy {
                clients: Arc::new(acknowledgement.clients.iter().cloned().collect()),
                first_us: us(acknowledgement.initial_delay_ms),
                max_delay_us: us(acknowledgement.max_delay_ms),
                max_notifications: acknowledgement.max_notifications.into(),
            },
        }
    }
}

/// Stage 4: whose ends must be acknowledged, and how they are told again until then.
#[derive(Debug, Clone, Default)]
pub struct AckPolicy {
    pub clients: Arc<HashSet<String>>,
    pub first_us: i64,
    pub max_delay_us: i64,
    pub max_notifications: i64,
}

impl AckPolicy {
    /// How long to wait for the acknowledgement after telling for the `told`-th time
    /// again: doubles each time.
    pub fn wait_us(&self, order_id: &str, told: i64) -> i64 {
        backoff_us(self.first_us, self.max_delay_us, told, order_id)
    }
}

impl OutcomeRecorder {
    /// `follower` books while balance and ledger are apart.
    pub fn start(
        pool: &Pool,
        schemas: &Schemas,
        key: &Secret,
        waits: &OutcomeDelays,
        ready: &ReadyQueue,
        follower: Option<&SagaFollower>,
    ) -> Self {
        let lanes = (0..WRITER_COUNT)
            .map(|_| {
                let (sender, receiver) = mpsc::channel(QUEUE_CAPACITY);
                let transaction = OutcomeTransaction {
                    pool: pool.clone(),
                    schemas: schemas.clone(),
                    key: key.clone(),
                    delays: waits.clone(),
                    ready: ready.clone(),
                    follower: follower.cloned(),
                    conn: None,
                };
                let lane = OutcomeWriter { transaction };
                tokio::spawn(lane.run(receiver));
                sender
            })
            .collect();
        OutcomeRecorder {
            lanes,
            sent: Arc::new(Cache::new(MAX_REMEMBERED_ORDERS)),
        }
    }

    /// Keeps in mind whose order was just sent.
    pub fn remember(&self, order: &OrderRef) {
        self.sent
            .insert(order.order_id.clone(), order.account_id.clone());
    }

    pub fn remembered(&self, order_id: &str) -> Option<OrderRef> {
        self.sent
            .get(order_id)
            .map(|account| OrderRef::new(&account, order_id))
    }

    /// Applies the outcome; returns after the commit.
    pub async fn record(&self, outcome: OrderOutcome) -> Result<OutcomeResult, OutcomeNotRecorded> {
        // One order always takes the same lane, so its outcomes stay in order.
        let lane = crc_of(&outcome.at.order_id) % self.lanes.len();
        let (answer, taken) = oneshot::channel();
        self.lanes[lane]
            .send(PendingOutcome { outcome, answer })
            .await
            .map_err(|_| OutcomeNotRecorded)?;
        taken.await.unwrap_or(Err(OutcomeNotRecorded))
    }
}

fn crc_of(order_id: &str) -> usize {
    sluice_contract::ids::bucket_of(order_id) as usize
}
