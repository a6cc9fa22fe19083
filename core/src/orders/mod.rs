//! Outflow orders: what one is (`Order`), how it moves (`state`, drawn by `picture`), and
//! its rows (`repo`).

pub mod repo;
pub mod state;

pub mod diagram;
pub mod events;
pub mod history;

use rust_decimal::Decimal;
use sluice_contract::money::Currency;
use sluice_contract::order::{OrderKind, OrderState};

/// An order as stored. Amount in major units of `currency`.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    pub account_id: String,
    pub order_id: String,
    pub kind: OrderKind,
    pub client: String,
    pub transaction_id: String,
    pub biz_no: Option<String>,
    pub user_id: Option<String>,
    pub to_account: String,
    /// The payee's bank, for routing.
    pub bank: Option<String>,
    /// The captured payment that a refund or a settlement takes from.
    pub payment_no: Option<String>,
    pub amount: Decimal,
    pub currency: Currency,
    pub state: OrderState,
    /// Wished for at acceptance, fixed at the claim; none again once that channel has
    /// declined it for itself alone.
    pub channel: Option<String>,
    pub serial_no: String,
    /// Fixed at the first claim, never changed (seed 002 §3.2).
    pub trade_time: Option<String>,
    /// How and why this channel was chosen: JSON, written by `routing`.
    pub route: Option<String>,
    pub attempts: i64,
    pub queries: i64,
    /// How often it was claimed for sending: an answer to an earlier sending proves
    /// nothing about the last one.
    pub sends: i64,
    /// The last event that told of it: its version and when it happened.
    pub notified_version: i64,
    pub notified_us: i64,
    /// How often that event was told again because nobody said that it was heard.
    pub notify_count: i64,
    /// When the upstream said that it knows the end.
    pub acknowledged_us: Option<i64>,
    /// A case that the core itself may close is open.
    pub has_open_case: bool,
    pub result_code: Option<String>,
    pub version: i64,
    pub due_us: Option<i64>,
    pub created_us: i64,
    pub updated_us: i64,
}

/// Where an order is: ids alone don't tell a sharded engine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderRef {
    pub order_id: String,
    pub account_id: String,
}

impl OrderRef {
    pub fn new(account_id: &str, order_id: &str) -> Self {
        OrderRef {
            order_id: order_id.to_owned(),
            account_id: account_id.to_owned(),
        }
    }
}

impl Order {
    pub fn at(&self) -> OrderRef {
        OrderRef::new(&self.account_id, &self.order_id)
    }

    /// Whether a channel may have it: sent at least once, and to the channel that it
    /// names. One that declined it for itself alone is named no more.
    pub fn was_sent(&self) -> bool {
        self.attempts > 0 && self.channel.is_some()
    }

    /// `init` again after the channel was asked still shows as processing: for the
    /// upstream it never went back.
    pub fn shown(&self) -> &'static str {
        if matches!(
            self.state,
            OrderState::Booking | OrderState::Init | OrderState::Dispatching
        ) && (self.queries > 0
            || self.attempts > 1
            || (self.attempts > 0 && self.channel.is_none()))
        {
            "processing"
        } else {
            self.state.shown()
        }
    }
}

/// A new order that nobody dispatched is looked for after this long.
pub const FIRST_POLL_DELAY_US: i64 = 2_000_000;
