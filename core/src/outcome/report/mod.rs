//! Reports about orders, and what is answered to whoever reports.

mod result;

pub use result::{OutcomeNotRecorded, OutcomeResult};

use crate::channels::{ChannelAnswer, ChannelResult, INTERNAL_CHANNEL};
use crate::orders::OrderRef;
use crate::orders::state::OrderInput;
use rust_decimal::Decimal;
use sluice_contract::money::Currency;

/// One report about one order: from its channel, its upstream, or recovery.
#[derive(Debug, Clone)]
pub struct OrderOutcome {
    pub at: OrderRef,
    pub event: OrderInput,
    /// The channel that reports; `None` for recovery and upstreams.
    pub channel: Option<&'static str>,
    /// The channel's code, for people.
    pub code: Option<String>,
    /// The amount that the channel names, in major units, if it does.
    pub amount: Option<Decimal>,
    /// The currency of that amount, if it names one.
    pub currency: Option<Currency>,
    /// The account that the channel says was paid.
    pub to_account: Option<String>,
    /// Ask the channel at once instead of after the usual wait.
    pub query_now: bool,
    /// The call that the channel answers to.
    pub answers: AnswerTo,
    /// For people: what an order that is not sent waits for, or which bound it is past.
    pub detail: Option<String>,
}

/// The call that an outcome answers to. Under one serial number an order may have gone
/// out several times, from several instances: an answer to an earlier sending says
/// nothing of the one that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnswerTo {
    /// The sending of that number.
    Send(i64),
    /// A query.
    Query(AskedQuery),
    /// No call: a callback, an upstream, recovery itself.
    #[default]
    Nothing,
}

/// A query, as far as its answer depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedQuery {
    /// Number of sendings when it was asked.
    pub sends: i64,
    /// When it was asked, not when it was answered or written down: a core may be stalled in
    /// between, and "no such trade" was true then. µs since 1970 UTC.
    pub asked_us: i64,
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

    /// Marks the reply to the order's sending of this number.
    pub fn of_send(self, number: i64) -> Self {
        OrderOutcome {
            answers: AnswerTo::Send(number),
            ..self
        }
    }

    /// Marks the reply to a query.
    pub fn of_query(self, query: AskedQuery) -> Self {
        OrderOutcome {
            answers: AnswerTo::Query(query),
            ..self
        }
    }

    /// Reports a settlement as paid: its money moves within the books, so claimed is as
    /// good as paid.
    pub fn settled(at: OrderRef) -> Self {
        OrderOutcome {
            channel: Some(INTERNAL_CHANNEL),
            ..OrderOutcome::new(at, OrderInput::Succeeded)
        }
    }

    /// Reports a channel's result.
    pub fn of_channel(at: OrderRef, channel: &'static str, result: ChannelResult) -> Self {
        let event = match result.answer {
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
            code: Some(result.code),
            amount: result.amount,
            currency: result.currency,
            to_account: result.to_account,
            query_now: result.answer == ChannelAnswer::Duplicate,
            ..OrderOutcome::new(at, event)
        }
    }
}
