//! Applies outcomes to locked orders and balances in memory. Pure.

use crate::balance::{Balance, CapturedPayment, LockedBooks};
use crate::cases::{self, CaseClosing, CaseKind, OrderCase, storable};
use crate::intents::BookingIntent;
use crate::ledger::{Posting, PostingKind};
use crate::orders::Order;
use crate::orders::events::{order_event, repeated_event};
use crate::orders::history::OrderTransition;
use crate::orders::state::{OrderEffect, OrderInput, StateDecision, step};
use crate::outcome::note::{case_of, close_cases, event_for, note, reroute};
use crate::outcome::{OrderOutcome, OutcomeDelays, OutcomeResult};
use crate::routing::Route;
use crate::routing::totals::LimitUsage;
use sluice_contract::event::OrderEvent;
use sluice_contract::order::{OrderKind, OrderState};
use std::collections::{BTreeMap, BTreeSet};

/// What a batch of outcomes changes.
#[derive(Debug, Default)]
pub struct AppliedOutcomes {
    pub taken: Vec<OutcomeResult>,
    pub orders: BTreeMap<String, Order>,
    pub moved: BTreeSet<String>,
    /// By order, what became of its attempt.
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

/// Money that a move moves.
#[derive(Debug, Clone)]
pub struct OutcomeBooking {
    pub posting: Posting,
    pub effect: OrderEffect,
    pub kind: OrderKind,
    /// The captured payment that the order took from.
    pub payment_no: Option<String>,
}

/// Applies all outcomes to the locked orders. Balances follow in `settle`, once
/// it is known which accounts are touched.
pub fn apply(
    outcomes: &[OrderOutcome],
    locked: Vec<Order>,
    waits: &OutcomeDelays,
    now_us: i64,
) -> AppliedOutcomes {
    let orders = locked
        .into_iter()
        .map(|o| (o.order_id.clone(), o))
        .collect();
    let mut all = AppliedOutcomes {
        orders,
        ..AppliedOutcomes::default()
    };
    for outcome in outcomes {
        let taken = one(&mut all, outcome, waits, now_us);
        all.taken.push(taken);
    }
    all
}

fn one(
    all: &mut AppliedOutcomes,
    outcome: &OrderOutcome,
    waits: &OutcomeDelays,
    now_us: i64,
) -> OutcomeResult {
    let Some(order) = all.orders.get_mut(&outcome.at.order_id) else {
        return OutcomeResult::NoSuchOrder;
    };
    let event = match outcome
        .channel
        .filter(|c| order.channel.as_deref() != Some(*c))
    {
        Some(channel) => match former_channel_answer(order, channel, outcome.event) {
            FormerChannelAnswer::ReversesDecline => OrderInput::DeclineReversed,
            FormerChannelAnswer::Odd(detail) => return contradiction(all, outcome, &detail),
            FormerChannelAnswer::Repeated => return OutcomeResult::Already,
        },
        None => match (
            odd(order, outcome),
            event_for(order, outcome, waits, now_us),
        ) {
            (Some(detail), _) => return contradiction(all, outcome, &detail),
            (None, Err(taken)) => return taken,
            (None, Ok(event)) => event,
        },
    };
    // An order that waits to be sent again hears late answers as one that is out.
    let sent = order.was_sent();
    let hears = sent
        && order.state == OrderState::Init
        && !matches!(event, OrderInput::NotSent | OrderInput::DeclineReversed);
    let state = if hears {
        OrderState::InDoubt
    } else {
        order.state
    };
    let (to, effects) = match step(state, event) {
        StateDecision::Move(to, _) if to == order.state => return OutcomeResult::Already,
        StateDecision::Move(to, effects) => (to, effects),
        StateDecision::Stay(effects) => (order.state, effects),
        StateDecision::After(first) => {
            // Two moves of one transaction, so that history and events have no gap.
            let untold = OrderOutcome {
                event: first,
                ..outcome.clone()
            };
            return match one(all, &untold, waits, now_us) {
                OutcomeResult::Moved => one(all, outcome, waits, now_us),
                other => other,
            };
        }
        StateDecision::Contradiction(detail) => return contradiction(all, outcome, detail),
        StateDecision::Refused => return OutcomeResult::Refused,
        StateDecision::Already => return OutcomeResult::Already,
    };
    // The state as stored: an order that waits to be sent again is in `init`.
    let from = order.state;
    let with = order.channel.clone();
    // By channel and trade time as they are now: a switch takes the channel away.
    if let Some(taking) = effects
        .contains(&OrderEffect::FreeLimits)
        .then(|| LimitUsage::of(order))
        .flatten()
    {
        all.freed.insert(order.order_id.clone(), taking);
    }
    if from != to {
        move_order(order, to, outcome, waits, now_us);
        if sent && has_last_attempt(order) {
            let (state, live) = if event == OrderInput::NotHere {
                ("failed", false)
            } else {
                attempt_state(order)
            };
            let channel = with.clone().unwrap_or_default();
            all.attempts.insert(
                order.order_id.clone(),
                AttemptChange {
                    channel,
                    state,
                    live,
                },
            );
        }
        if event == OrderInput::NotHere {
            let route = reroute(order, outcome);
            order.route = route.and_then(|route| serde_json::to_string(&route).ok());
            // The next channel is asked afresh.
            (order.channel, order.queries) = (None, 0);
        }
    }
    if let Some(channel) = outcome
        .channel
        .filter(|_| event == OrderInput::DeclineReversed)
    {
        order.route = Route::with_decline_reversed(order.route.as_deref(), channel);
        // Nobody else has it: what this channel says next ends it, or a person does.
        order.channel.get_or_insert_with(|| channel.to_owned());
    }
    note(order, event, effects, waits, now_us);
    let order = order.clone();
    all.moves.push(OrderTransition {
        channel: with,
        ..OrderTransition::of(&order, from, event.as_str())
    });
    perform(all, &order, (event, effects), outcome, now_us);
    OutcomeResult::Moved
}

/// A channel's word on an order that isn't with it.
enum FormerChannelAnswer {
    /// It only says again what is known.
    Repeated,
    /// It had declined the order for itself alone, and says that it paid.
    ReversesDecline,
    /// It can't be true.
    Odd(String),
}

fn former_channel_answer(order: &Order, channel: &str, event: OrderInput) -> FormerChannelAnswer {
    let route = Route::read(order.route.as_deref()).unwrap_or_default();
    let is_in = |list: &[String]| list.iter().any(|one| one == channel);
    let whose = order.channel.as_deref().unwrap_or("nobody");
    match event {
        _ if !is_in(&route.tried) => {
            FormerChannelAnswer::Odd(format!("{channel} speaks of an order that is {whose}'s"))
        }
        OrderInput::Succeeded if is_in(&route.recanted) => FormerChannelAnswer::Repeated,
        OrderInput::Returned if is_in(&route.recanted) => FormerChannelAnswer::Odd(format!(
            "{channel} declined the order, said that it paid, and now that it gave it back"
        )),
        OrderInput::Succeeded | OrderInput::Returned
            if matches!(order.state, OrderState::Failed | OrderState::Returned) =>
        {
            FormerChannelAnswer::Odd(format!(
                "{channel} declined the order and now says that it paid; it is {whose}'s now"
            ))
        }
        OrderInput::Succeeded | OrderInput::Returned => FormerChannelAnswer::ReversesDecline,
        // `Accepted` too: a reply to the sending may be overtaken by the refusal.
        _ => FormerChannelAnswer::Repeated,
    }
}

/// Whether the order's last attempt went to the channel that it is with: not if that
/// is an earlier one that has recanted.
fn has_last_attempt(order: &Order) -> bool {
    let route = Route::read(order.route.as_deref()).unwrap_or_default();
    let is_with = |channel: &String| order.channel.as_ref() == Some(channel);
    !route.recanted.iter().any(is_with) || route.tried.last().is_some_and(is_with)
}

/// What the order's own channel says that can't be true.
fn odd(order: &Order, outcome: &OrderOutcome) -> Option<String> {
    if outcome.event == OrderInput::Returned && order.state != OrderState::Returned {
        let route = Route::read(order.route.as_deref()).unwrap_or_default();
        let paid_too = route
            .recanted
            .into_iter()
            .find(|other| order.channel.as_ref() != Some(other));
        // Given back, the account would have its money while the other payment stands.
        if let Some(other) = paid_too {
            return Some(format!(
                "the channel gave it back, but {other} says that it paid"
            ));
        }
    }
    payment_mismatch(order, outcome)
}

/// What the channel says of the payment that differs from the order. An amount
/// without a currency is in the order's.
fn payment_mismatch(order: &Order, outcome: &OrderOutcome) -> Option<String> {
    let amount = outcome.amount.filter(|a| *a != order.amount);
    let currency = outcome.currency.filter(|c| *c != order.currency);
    if amount.is_some() || currency.is_some() {
        let said = (
            amount.unwrap_or(order.amount).normalize(),
            currency.unwrap_or(order.currency),
        );
        let known = (order.amount.normalize(), order.currency);
        return Some(format!(
            "the channel speaks of {} {}, the order of {} {}",
            said.0, said.1, known.0, known.1
        ));
    }
    let to = outcome
        .to_account
        .as_deref()
        .filter(|to| *to != order.to_account)?;
    Some(format!(
        "the channel speaks of account {}, the order of {}",
        storable(to),
        storable(&order.to_account)
    ))
}

fn contradiction(all: &mut AppliedOutcomes, outcome: &OrderOutcome, detail: &str) -> OutcomeResult {
    if let Some(order) = all.orders.get(&outcome.at.order_id) {
        all.cases.push(OrderCase {
            account_id: order.account_id.clone(),
            order_id: order.order_id.clone(),
            kind: CaseKind::Contradiction,
            detail: cases::detail(&format!(
                "{detail} (code {})",
                outcome.code.as_deref().map_or("-".to_owned(), storable)
            )),
        });
    }
    OutcomeResult::Contradiction
}

fn move_order(
    order: &mut Order,
    to: OrderState,
    outcome: &OrderOutcome,
    waits: &OutcomeDelays,
    now_us: i64,
) {
    order.state = to;
    if outcome.code.is_some() {
        order.result_code = outcome.code.as_deref().map(storable);
    }
    order.due_us = match to {
        OrderState::Init | OrderState::Booking => Some(now_us),
        OrderState::InDoubt if outcome.query_now => Some(now_us),
        OrderState::InDoubt => Some(now_us + waits.first_query_us),
        OrderState::Processing => Some(now_us + waits.callback_us),
        OrderState::Dispatching => order.due_us,
        // A person's case stays in the index of unfinished orders.
        OrderState::Manual => Some(i64::MAX),
        OrderState::Success | OrderState::Failed | OrderState::Returned => None,
    };
}

fn perform(
    all: &mut AppliedOutcomes,
    order: &Order,
    (event, effects): (OrderInput, &[OrderEffect]),
    outcome: &OrderOutcome,
    now_us: i64,
) {
    let id = order.order_id.clone();
    for effect in effects {
        let kind = match effect {
            OrderEffect::Finalize => PostingKind::Finalize,
            OrderEffect::Release => PostingKind::Release,
            OrderEffect::GiveBack => PostingKind::Return,
            OrderEffect::CloseAttempt | OrderEffect::FreeLimits => continue,
            OrderEffect::OpenCase => {
                all.cases.push(case_of(order, event, outcome));
                continue;
            }
            OrderEffect::CloseCase => {
                close_cases(all, order, outcome);
                continue;
            }
            OrderEffect::Publish => {
                let kind = format!("{}.{}", order.kind.word(), order.state.as_str());
                all.events.push(order_event(order, &kind, now_us));
                continue;
            }
            OrderEffect::PublishAgain => {
                all.events.push(repeated_event(order));
                continue;
            }
        };
        all.bookings.push(OutcomeBooking {
            posting: Posting::of_order(order, kind),
            effect: *effect,
            kind: order.kind,
            payment_no: order.payment_no.clone(),
        });
    }
    all.moved.insert(id);
}

/// The state of a sent order's attempt, and whether it may still pay.
fn attempt_state(order: &Order) -> (&'static str, bool) {
    match order.state {
        OrderState::Success => ("success", false),
        OrderState::Failed => ("failed", false),
        OrderState::Returned => ("returned", false),
        OrderState::Processing => ("accepted", true),
        OrderState::InDoubt | OrderState::Manual => ("unknown", true),
        OrderState::Booking | OrderState::Init | OrderState::Dispatching => ("sent", true),
    }
}

impl AppliedOutcomes {
    /// The bookings as intents, for services on servers of their own.
    pub fn intents(&self, now_us: i64) -> Vec<BookingIntent> {
        let intent = |b: &OutcomeBooking| BookingIntent {
            posting: b.posting.clone(),
            order_id: b.posting.reference.clone(),
            kind: b.kind,
            payment_no: b.payment_no.clone(),
            client: String::new(),
            key: String::new(),
            created_us: now_us,
        };
        self.bookings.iter().map(intent).collect()
    }

    /// Accounts whose balances must be locked.
    pub fn accounts(&self) -> BTreeSet<&str> {
        self.bookings
            .iter()
            .map(|b| b.posting.account_id.as_str())
            .collect()
    }

    /// Captured payments that get something back: account and number.
    pub fn payments(&self) -> BTreeSet<(&str, &str)> {
        let back = self
            .bookings
            .iter()
            .filter(|b| b.effect != OrderEffect::Finalize);
        back.filter_map(|b| Some((b.posting.account_id.as_str(), b.payment_no.as_deref()?)))
            .collect()
    }
}

/// Applies the bookings to the locked balances and captured payments; returns the
/// touched ones.
///
/// # Errors
/// An order's money that isn't there: the books were changed by somebody else.
/// The caller writes nothing.
pub fn settle(
    all: &AppliedOutcomes,
    locked: Vec<Balance>,
    captures: Vec<CapturedPayment>,
) -> anyhow::Result<(Vec<Balance>, Vec<CapturedPayment>)> {
    let mut books = LockedBooks::new(locked, captures);
    for OutcomeBooking {
        posting,
        kind,
        payment_no,
        ..
    } in &all.bookings
    {
        let sum = posting.sum(*kind, payment_no.as_deref());
        books.book(posting.kind, &sum).map_err(|e| {
            anyhow::anyhow!(
                "account {}: {e} ({})",
                posting.account_id,
                posting.posting_id
            )
        })?;
    }
    Ok(books.touched())
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
