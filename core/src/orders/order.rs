//! An outflow order as it is stored.

use crate::orders::OrderRef;
use rust_decimal::Decimal;
use sluice_contract::ids::serial_no;
use sluice_contract::money::Currency;
use sluice_contract::order::{OrderKind, OrderState};
use sluice_contract::string_enum;
use sluice_contract::traces::TraceParent;

/// An order as stored; its columns are listed in `columns`. Amount in major units of
/// `currency`; every `_us` is a time in µs since 1970 UTC.
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
    /// Reason why this channel was chosen: JSON, written by `routing`.
    pub route: Option<String>,
    pub attempts: i64,
    pub queries: i64,
    /// Number of claims for sending: an answer to an earlier sending proves
    /// nothing about the last one.
    pub sends: i64,
    /// The version that the last published event tells of, and when that happened.
    pub notified_version: i64,
    pub notified_us: i64,
    /// Number of repeats of that event, because nobody acknowledged it.
    pub notify_count: i64,
    /// When the upstream acknowledged the end.
    pub acknowledged_us: Option<i64>,
    /// A case that the core itself may close is open.
    pub has_open_case: bool,
    pub result_code: Option<String>,
    pub version: i64,
    pub due_us: Option<i64>,
    pub created_us: i64,
    pub updated_us: i64,
    /// Of the first request, for people.
    pub correlation_id: Option<String>,
    /// Parent of the order's spans, if its trace is exported.
    pub traceparent: Option<String>,
    /// Hash of the strongest name of its request; none once a refused booking has freed it.
    pub identity: Option<String>,
    /// The user for whom the client asked, as its keys are scoped.
    pub key_scope: Option<String>,
    /// The failed order that this one tries again.
    pub predecessor_id: Option<String>,
    /// Seals as they were read; what is written is sealed anew (`seal`).
    pub request_mac: Option<String>,
    pub send_mac: Option<String>,
    /// When it last came back to `init`; none: it has waited since it was made.
    pub waiting_since_us: Option<i64>,
    /// Until when a claim may put its request onto the wire; `last_send_by_us` tells whether
    /// it was the last one.
    pub send_by_us: Option<i64>,
    /// The sending that `send_by_us` is of, as `sends` counts them.
    pub send_by_sending: Option<i64>,
    /// When its channel last said that it has it, or when it was first sent to it. The time
    /// in which it waited to be sent again is left out.
    pub last_pending_us: Option<i64>,
    /// Refusal of the last of several sendings: it ends the order once the channel knows of
    /// no trade.
    pub send_refusal: Option<SendRefusal>,
    /// When its channel first said clearly that it has it.
    pub accepted_us: Option<i64>,
}

string_enum! {
    /// Refusal in the reply to one of several sendings: it says nothing of the earlier ones.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum SendRefusal("orders.send_refusal") {
        /// For good.
        Declined = "declined",
        /// By this channel alone.
        NotHere = "not_here",
    }
}

impl Order {
    /// The send-by time of the last sending; `None` if an older build made it, which wrote
    /// none: its request may be on its way, or not have left.
    pub fn last_send_by_us(&self) -> Option<i64> {
        self.send_by_us
            .filter(|_| self.send_by_sending == Some(self.sends))
    }

    /// Sets the send-by time of the last sending, which nobody has refused.
    pub fn set_send_by(&mut self, send_by_us: i64) {
        self.send_by_us = Some(send_by_us);
        self.send_by_sending = Some(self.sends);
        self.send_refusal = None;
    }

    /// Makes an order of which nothing but these words is known: the base of new ones,
    /// so that a column has its first value here alone.
    pub fn blank(
        account_id: &str,
        order_id: &str,
        kind: OrderKind,
        amount: Decimal,
        currency: Currency,
    ) -> Self {
        Order {
            account_id: account_id.to_owned(),
            order_id: order_id.to_owned(),
            kind,
            client: String::new(),
            transaction_id: String::new(),
            biz_no: None,
            user_id: None,
            to_account: String::new(),
            bank: None,
            payment_no: None,
            amount,
            currency,
            state: OrderState::Init,
            channel: None,
            serial_no: serial_no(order_id),
            trade_time: None,
            route: None,
            attempts: 0,
            queries: 0,
            sends: 0,
            notified_version: 1,
            notified_us: 0,
            notify_count: 0,
            acknowledged_us: None,
            has_open_case: false,
            result_code: None,
            version: 1,
            due_us: None,
            created_us: 0,
            updated_us: 0,
            identity: None,
            key_scope: None,
            predecessor_id: None,
            request_mac: None,
            send_mac: None,
            waiting_since_us: None,
            send_by_us: None,
            send_by_sending: None,
            last_pending_us: None,
            send_refusal: None,
            accepted_us: None,
            correlation_id: None,
            traceparent: None,
        }
    }

    /// Reads the parent of its spans.
    pub fn trace(&self) -> Option<TraceParent> {
        self.traceparent.as_deref().and_then(TraceParent::parse)
    }

    /// Names the first request in logs.
    pub fn correlation(&self) -> &str {
        self.correlation_id.as_deref().unwrap_or("-")
    }

    pub fn at(&self) -> OrderRef {
        OrderRef::new(&self.account_id, &self.order_id)
    }

    /// Tells whether a channel may have it: sent at least once, and to the channel that
    /// it names. One that declined it for itself alone is named no more.
    pub fn was_sent(&self) -> bool {
        self.attempts > 0 && self.channel.is_some()
    }

    /// Names the state as upstreams see it. `init` again after the channel was asked
    /// still shows as processing: for the upstream it never went back.
    pub fn shown(&self) -> &'static str {
        let was_asked =
            self.queries > 0 || self.attempts > 1 || (self.attempts > 0 && self.channel.is_none());
        match self.state {
            OrderState::Booking | OrderState::Init | OrderState::Dispatching if was_asked => {
                "processing"
            }
            OrderState::Booking
            | OrderState::Init
            | OrderState::Dispatching
            | OrderState::InDoubt
            | OrderState::Processing
            | OrderState::Manual
            | OrderState::Success
            | OrderState::Failed
            | OrderState::Returned => self.state.shown(),
        }
    }
}
