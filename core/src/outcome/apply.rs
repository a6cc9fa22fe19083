//! Applies outcomes to locked orders and balances in memory. Pure.

use super::note::{case_of, close_cases, elsewhere, event_for, note};
use super::{Outcome, Taken, Waits};
use crate::balance::{Balance, Books, Capture};
use crate::cases::{self, Case, CaseKind, Closing, storable};
use crate::history::Move;
use crate::journal::{order_event, told_event};
use crate::ledger::{Posting, PostingKind};
use crate::orders::Order;
use crate::orders::state::{Effect, Event, Step, step};
use crate::routing::{Route, totals::Taking};
use crate::saga::Intent;
use sluice_contract::event::OrderEvent;
use sluice_contract::order::{Kind, State};
use std::collections::{BTreeMap, BTreeSet};

/// What a batch of outcomes changes.
#[derive(Debug, Default)]
pub struct Applied {
    pub taken: Vec<Taken>,
    pub orders: BTreeMap<String, Order>,
    pub moved: BTreeSet<String>,
    /// By order, what became of its attempt.
    pub attempts: BTreeMap<String, AttemptNow>,
    pub moves: Vec<Move>,
    pub bookings: Vec<Booking>,
    /// Orders that give back what they took of cumulative limits.
    pub freed: BTreeMap<String, Taking>,
    pub cases: Vec<Case>,
    pub closings: Vec<Closing>,
    pub events: Vec<OrderEvent>,
}

/// An attempt as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptNow {
    pub channel: String,
    pub state: &'static str,
    /// Whether it may still pay.
    pub live: bool,
}

/// Money that a move moves.
#[derive(Debug, Clone)]
pub struct Booking {
    pub posting: Posting,
    pub effect: Effect,
    pub kind: Kind,
    /// The captured payment that the order took from.
    pub payment_no: Option<String>,
}

/// Applies all outcomes to the locked orders. Balances follow in `settle`, once
/// it is known which accounts are touched.
pub fn apply(outcomes: &[&Outcome], locked: Vec<Order>, waits: &Waits, now_us: i64) -> Applied {
    let orders = locked
        .into_iter()
        .map(|o| (o.order_id.clone(), o))
        .collect();
    let mut all = Applied {
        orders,
        ..Applied::default()
    };
    for outcome in outcomes {
        let taken = one(&mut all, outcome, waits, now_us);
        all.taken.push(taken);
    }
    all
}

fn one(all: &mut Applied, outcome: &Outcome, waits: &Waits, now_us: i64) -> Taken {
    let Some(order) = all.orders.get_mut(&outcome.at.order_id) else {
        return Taken::NoSuchOrder;
    };
    let event = match outcome
        .channel
        .filter(|c| order.channel.as_deref() != Some(*c))
    {
        Some(channel) => match not_its_channel(order, channel, outcome.event) {
            Word::Recants => Event::Recanted,
            Word::Odd(detail) => return contradiction(all, outcome, &detail),
            Word::Repeated => return Taken::Already,
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
    let sent = order.is_out();
    let hears =
        sent && order.state == State::Init && !matches!(event, Event::NotSent | Event::Recanted);
    let state = if hears { State::InDoubt } else { order.state };
    let (to, effects) = match step(state, event) {
        Step::Move(to, _) if to == order.state => return Taken::Already,
        Step::Move(to, effects) => (to, effects),
        Step::Stay(effects) => (order.state, effects),
        Step::After(first) => {
            // Two moves of one transaction, so that history and events have no gap.
            let untold = Outcome {
                event: first,
                ..outcome.clone()
            };
            return match one(all, &untold, waits, now_us) {
                Taken::Moved => one(all, outcome, waits, now_us),
                other => other,
            };
        }
        Step::Contradiction(detail) => return contradiction(all, outcome, detail),
        Step::Refused => return Taken::Refused,
        Step::Already => return Taken::Already,
    };
    // The state as stored: an order that waits to be sent again is in `init`.
    let from = order.state;
    let with = order.channel.clone();
    // By channel and trade time as they are now: a switch takes the channel away.
    if let Some(taking) = effects
        .contains(&Effect::FreeLimits)
        .then(|| Taking::of(order))
        .flatten()
    {
        all.freed.insert(order.order_id.clone(), taking);
    }
    if from != to {
        move_order(order, to, outcome, waits, now_us);
        if sent && has_last_attempt(order) {
            let (state, live) = if event == Event::NotHere {
                ("failed", false)
            } else {
                attempt_state(order)
            };
            let channel = with.clone().unwrap_or_default();
            all.attempts.insert(
                order.order_id.clone(),
                AttemptNow {
                    channel,
                    state,
                    live,
                },
            );
        }
        if event == Event::NotHere {
            let route = elsewhere(order, outcome);
            order.route = route.and_then(|route| serde_json::to_string(&route).ok());
            // The next channel is asked afresh.
            (order.channel, order.queries) = (None, 0);
        }
    }
    if let Some(channel) = outcome.channel.filter(|_| event == Event::Recanted) {
        order.route = Route::recanted_by(order.route.as_deref(), channel);
        // Nobody else has it: what this channel says next ends it, or a person does.
        order.channel.get_or_insert_with(|| channel.to_owned());
    }
    note(order, event, effects, waits, now_us);
    let order = order.clone();
    all.moves.push(Move {
        channel: with,
        ..Move::of(&order, from, event.as_str())
    });
    perform(all, &order, (event, effects), outcome, now_us);
    Taken::Moved
}

/// A channel's word on an order that isn't with it.
enum Word {
    /// It only says again what is known.
    Repeated,
    /// It had declined the order for itself alone, and says that it paid.
    Recants,
    /// It can't be true.
    Odd(String),
}

fn not_its_channel(order: &Order, channel: &str, event: Event) -> Word {
    let route = Route::read(order.route.as_deref()).unwrap_or_default();
    let is_in = |list: &[String]| list.iter().any(|one| one == channel);
    let whose = order.channel.as_deref().unwrap_or("nobody");
    match event {
        _ if !is_in(&route.tried) => {
            Word::Odd(format!("{channel} speaks of an order that is {whose}'s"))
        }
        Event::Succeeded if is_in(&route.recanted) => Word::Repeated,
        Event::Returned if is_in(&route.recanted) => Word::Odd(format!(
            "{channel} declined the order, said that it paid, and now that it gave it back"
        )),
        Event::Succeeded | Event::Returned
            if matches!(order.state, State::Failed | State::Returned) =>
        {
            Word::Odd(format!(
                "{channel} declined the order and now says that it paid; it is {whose}'s now"
            ))
        }
        Event::Succeeded | Event::Returned => Word::Recants,
        // `Accepted` too: a reply to the sending may be overtaken by the refusal.
        _ => Word::Repeated,
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
fn odd(order: &Order, outcome: &Outcome) -> Option<String> {
    if outcome.event == Event::Returned && order.state != State::Returned {
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
    otherwise(order, outcome)
}

/// What the channel says of the payment that differs from the order. An amount
/// without a currency is in the order's.
fn otherwise(order: &Order, outcome: &Outcome) -> Option<String> {
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

fn contradiction(all: &mut Applied, outcome: &Outcome, detail: &str) -> Taken {
    if let Some(order) = all.orders.get(&outcome.at.order_id) {
        all.cases.push(Case {
            account_id: order.account_id.clone(),
            order_id: order.order_id.clone(),
            kind: CaseKind::Contradiction,
            detail: cases::detail(&format!(
                "{detail} (code {})",
                outcome.code.as_deref().map_or("-".to_owned(), storable)
            )),
        });
    }
    Taken::Contradiction
}

fn move_order(order: &mut Order, to: State, outcome: &Outcome, waits: &Waits, now_us: i64) {
    order.state = to;
    if outcome.code.is_some() {
        order.result_code = outcome.code.as_deref().map(storable);
    }
    order.due_us = match to {
        State::Init | State::Booking => Some(now_us),
        State::InDoubt if outcome.query_now => Some(now_us),
        State::InDoubt => Some(now_us + waits.first_query_us),
        State::Processing => Some(now_us + waits.callback_us),
        State::Dispatching => order.due_us,
        // A person's case stays in the index of unfinished orders.
        State::Manual => Some(i64::MAX),
        State::Success | State::Failed | State::Returned => None,
    };
}

fn perform(
    all: &mut Applied,
    order: &Order,
    (event, effects): (Event, &[Effect]),
    outcome: &Outcome,
    now_us: i64,
) {
    let id = order.order_id.clone();
    for effect in effects {
        let kind = match effect {
            Effect::Finalize => PostingKind::Finalize,
            Effect::Release => PostingKind::Release,
            Effect::GiveBack => PostingKind::Return,
            Effect::CloseAttempt | Effect::FreeLimits => continue,
            Effect::OpenCase => {
                all.cases.push(case_of(order, event, outcome));
                continue;
            }
            Effect::CloseCase => {
                close_cases(all, order, outcome);
                continue;
            }
            Effect::Publish => {
                let kind = format!("{}.{}", order.kind.word(), order.state.as_str());
                all.events.push(order_event(order, &kind, now_us));
                continue;
            }
            Effect::PublishAgain => {
                all.events.push(told_event(order));
                continue;
            }
        };
        all.bookings.push(Booking {
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
        State::Success => ("success", false),
        State::Failed => ("failed", false),
        State::Returned => ("returned", false),
        State::Processing => ("accepted", true),
        State::InDoubt | State::Manual => ("unknown", true),
        State::Booking | State::Init | State::Dispatching => ("sent", true),
    }
}

impl Applied {
    /// The bookings as intents, for services on servers of their own.
    pub fn intents(&self, now_us: i64) -> Vec<Intent> {
        let intent = |b: &Booking| Intent {
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
            .filter(|b| b.effect != Effect::Finalize);
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
    all: &Applied,
    locked: Vec<Balance>,
    captures: Vec<Capture>,
) -> anyhow::Result<(Vec<Balance>, Vec<Capture>)> {
    let mut books = Books::new(locked, captures);
    for Booking {
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
mod tests {
    use super::*;
    use crate::orders::OrderRef;
    use rust_decimal::Decimal;

    fn waits() -> Waits {
        let clients = std::sync::Arc::new(["c".to_owned()].into());
        let hearing = super::super::Hearing {
            clients,
            first_us: 1_000,
            longest_us: 8_000,
            max_notifications: 2,
        };
        Waits {
            first_query_us: 10,
            callback_us: 20,
            hearing,
        }
    }

    /// An order of 1 CNY on unionpay that was sent `attempts` times.
    fn order(state: State, attempts: i64) -> Order {
        Order {
            account_id: "A".into(),
            order_id: "o".into(),
            kind: Kind::CashOut,
            client: "c".into(),
            transaction_id: "t".into(),
            biz_no: None,
            user_id: None,
            to_account: "p".into(),
            bank: None,
            payment_no: None,
            route: None,
            amount: Decimal::ONE,
            currency: "CNY".parse().unwrap(),
            state,
            channel: Some("unionpay".into()),
            serial_no: "O".into(),
            trade_time: None,
            attempts,
            queries: attempts,
            sends: attempts,
            notified_version: 1,
            notified_us: 1,
            notify_count: 0,
            acknowledged_us: None,
            has_open_case: false,
            result_code: None,
            version: 3,
            due_us: Some(1),
            created_us: 1,
            updated_us: 1,
        }
    }

    fn taken(
        state: State,
        attempts: i64,
        channel: Option<&'static str>,
        event: Event,
    ) -> (Taken, State, Option<String>) {
        let outcome = Outcome {
            channel,
            ..Outcome::new(OrderRef::new("A", "o"), event)
        };
        let all = apply(&[&outcome], vec![order(state, attempts)], &waits(), 100);
        let detail = all.cases.first().map(|c| c.detail.clone());
        (all.taken[0], all.orders["o"].state, detail)
    }

    #[test]
    fn another_channel_cannot_end_an_order() {
        let (taken, state, detail) =
            taken(State::Processing, 1, Some("netsunion"), Event::Declined);
        assert_eq!((taken, state), (Taken::Contradiction, State::Processing));
        assert!(detail.is_some_and(|d| d.contains("netsunion") && d.contains("unionpay")));
    }

    #[test]
    fn a_late_success_ends_an_order_that_waits_to_be_sent_again() {
        let paid = taken(State::Init, 1, Some("unionpay"), Event::Succeeded);
        assert_eq!((paid.0, paid.1), (Taken::Moved, State::Success));
        // Never sent: the channel can't know it.
        let odd = taken(State::Init, 0, Some("unionpay"), Event::Succeeded);
        assert_eq!((odd.0, odd.1), (Taken::Contradiction, State::Init));
        // And a repeated "no such trade" changes nothing.
        assert_eq!(
            taken(State::Init, 1, Some("unionpay"), Event::NoSuchTrade).0,
            Taken::Already
        );
    }

    /// An order that went to netsunion and back, without or with a wish for it.
    fn declined_here(wished: bool) -> Applied {
        let route =
            format!(r#"{{"version":1,"chosen":"netsunion","rejected":[],"wished":{wished}}}"#);
        let order = Order {
            channel: Some("netsunion".into()),
            route: Some(route),
            trade_time: Some("20261120235959".into()),
            ..order(State::Processing, 1)
        };
        let (at, channel) = (OrderRef::new("A", "o"), Some("netsunion"));
        let said = Outcome {
            channel,
            code: Some("1005".into()),
            ..Outcome::new(at, Event::NotHere)
        };
        // Told twice: the second time it is somebody else's.
        apply(&[&said, &said], vec![order], &waits(), 100)
    }

    #[test]
    fn what_a_channel_declines_for_itself_alone_waits_for_another() {
        let all = declined_here(false);
        let order = &all.orders["o"];
        assert_eq!(all.taken, [Taken::Moved, Taken::Already]);
        assert_eq!(
            (order.state, order.channel.as_deref(), order.is_out()),
            (State::Init, None, false)
        );
        assert_eq!(
            (order.serial_no.as_str(), order.trade_time.as_deref()),
            ("O", Some("20261120235959"))
        );
        let closed = AttemptNow {
            channel: "netsunion".into(),
            state: "failed",
            live: false,
        };
        assert_eq!(
            (&all.attempts["o"], all.bookings.len(), all.cases.len()),
            (&closed, 0, 0)
        );
        assert!(
            all.freed["o"]
                .keys
                .iter()
                .any(|k| k.key == "netsunion" && k.period == "20261120")
        );
        assert_eq!(all.moves[0].channel.as_deref(), Some("netsunion"));
        // Its caller asked for this channel and no other.
        let all = declined_here(true);
        assert_eq!(
            (all.orders["o"].state, all.bookings.len()),
            (State::Failed, 1)
        );
    }

    #[test]
    fn what_was_sent_cannot_be_cancelled() {
        assert_eq!(taken(State::Init, 1, None, Event::Cancel).0, Taken::Refused);
        let (taken, state, _) = taken(State::Init, 0, None, Event::Cancel);
        assert_eq!((taken, state), (Taken::Moved, State::Failed));
    }

    #[test]
    fn another_amount_is_a_contradiction_whose_detail_fits_its_column() {
        let mut outcome = Outcome {
            channel: Some("unionpay"),
            ..Outcome::new(OrderRef::new("A", "o"), Event::Succeeded)
        };
        outcome.amount = Some(Decimal::TWO);
        outcome.code = Some("x".repeat(500));
        let all = apply(
            &[&outcome],
            vec![order(State::Processing, 1)],
            &waits(),
            100,
        );
        assert_eq!(all.taken, [Taken::Contradiction]);
        assert!(all.cases[0].detail.len() < 190 && all.moved.is_empty());
    }

    #[test]
    fn another_currency_or_account_is_a_contradiction_and_the_same_is_none() {
        let heard = |amount: i64, currency: &str, to: &str| {
            let mut outcome = Outcome {
                channel: Some("unionpay"),
                ..Outcome::new(OrderRef::new("A", "o"), Event::Succeeded)
            };
            outcome.amount = Some(Decimal::new(amount, 2));
            outcome.currency = Some(currency.parse().unwrap());
            outcome.to_account = Some(to.to_owned());
            let all = apply(
                &[&outcome],
                vec![order(State::Processing, 1)],
                &waits(),
                100,
            );
            (
                all.taken[0],
                all.cases
                    .first()
                    .map(|c| c.detail.clone())
                    .unwrap_or_default(),
            )
        };
        assert_eq!(heard(100, "CNY", "p").0, Taken::Moved);
        let (taken, detail) = heard(100, "JPY", "p");
        assert!(
            taken == Taken::Contradiction && detail.contains("1 JPY") && detail.contains("1 CNY"),
            "{detail}"
        );
        let (taken, detail) = heard(100, "CNY", &"another account, and a long one ".repeat(9));
        assert!(
            taken == Taken::Contradiction
                && detail.contains("another?account")
                && detail.len() < 190,
            "{detail}"
        );
    }
}
