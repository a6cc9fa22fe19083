//! Changes that a batch of outcomes makes, collected in memory.

use crate::cases::{CaseClosing, OrderCase};
use crate::intents::BookingIntent;
use crate::ledger::Posting;
use crate::orders::Order;
use crate::orders::history::OrderTransition;
use crate::orders::state::{OrderEffect, OrderInput};
use crate::outcome::report::OutcomeResult;
use crate::routing::limits::LimitUsage;
use sluice_contract::event::OrderEvent;
use sluice_contract::order::{OrderKind, OrderState};
use std::collections::{BTreeMap, BTreeSet};

/// Changes of a batch of outcomes.
#[derive(Debug, Default)]
pub struct AppliedOutcomes {
    pub taken: Vec<OutcomeResult>,
    pub orders: BTreeMap<String, Order>,
    pub moved: BTreeSet<String>,
    /// Attempts as they are now, by order.
    pub attempts: BTreeMap<String, AttemptChange>,
    pub moves: Vec<OrderTransition>,
    pub bookings: Vec<OutcomeBooking>,
    /// Orders that give back what they took of cumulative limits.
    pub freed: BTreeMap<String, LimitUsage>,
    pub cases: Vec<OrderCase>,
    pub closings: Vec<CaseClosing>,
    pub events: Vec<OrderEvent>,
}

/// An attempt as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptChange {
    pub channel: String,
    pub state: &'static str,
    /// Whether it may still pay.
    pub live: bool,
}

/// A booking of money that a move moves.
#[derive(Debug, Clone)]
pub struct OutcomeBooking {
    pub posting: Posting,
    pub effect: OrderEffect,
    pub kind: OrderKind,
    /// The captured payment that the order took from.
    pub payment_no: Option<String>,
}

impl AppliedOutcomes {
    /// Makes intents of the bookings, for services on servers of their own.
    pub fn intents(&self, now_us: i64) -> Vec<BookingIntent> {
        let intent = |b: &OutcomeBooking| BookingIntent {
            posting: b.posting.clone(),
            order_id: b.posting.reference.clone(),
            kind: b.kind,
            payment_no: b.payment_no.clone(),
            counterparty: None,
            unknown_payer_ok: false,
            client: b.posting.client.clone(),
            key: String::new(),
            created_us: now_us,
            correlation_id: None,
            traceparent: None,
        };
        self.bookings.iter().map(intent).collect()
    }

    /// Lists accounts whose balances must be locked.
    pub fn accounts(&self) -> BTreeSet<&str> {
        self.bookings
            .iter()
            .map(|b| b.posting.account_id.as_str())
            .collect()
    }

    /// Lists captured payments that get something back: account and number.
    pub fn payments(&self) -> BTreeSet<(&str, &str)> {
        let back = self
            .bookings
            .iter()
            .filter(|b| b.effect != OrderEffect::Finalize);
        back.filter_map(|b| Some((b.posting.account_id.as_str(), b.payment_no.as_deref()?)))
            .collect()
    }
}

/// A decided change: the input that counted, the new state, and what is to be done.
pub(super) struct OrderChange {
    pub(super) input: OrderInput,
    pub(super) to: OrderState,
    pub(super) effects: &'static [OrderEffect],
}
