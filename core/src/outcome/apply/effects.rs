//! Effects of a change, collected as data: bookings, cases, events.

use crate::ledger::{Posting, PostingKind};
use crate::orders::Order;
use crate::orders::events::{order_event, repeated_event};
use crate::orders::state::OrderEffect;
use crate::outcome::apply::applied::{AppliedOutcomes, OrderChange, OutcomeBooking};
use crate::outcome::apply::case::{case_of, close_cases};
use crate::outcome::report::OrderOutcome;

/// Collects the effects of the change that `order` has just made.
pub(super) fn perform(
    all: &mut AppliedOutcomes,
    order: &Order,
    decided: &OrderChange,
    outcome: &OrderOutcome,
    now_us: i64,
) {
    for effect in decided.effects {
        match effect {
            OrderEffect::Finalize => book(all, order, *effect, PostingKind::Finalize),
            OrderEffect::Release => book(all, order, *effect, PostingKind::Release),
            OrderEffect::GiveBack => book(all, order, *effect, PostingKind::Return),
            // Done with the change itself.
            OrderEffect::CloseAttempt
            | OrderEffect::FreeLimits
            | OrderEffect::NoteHeard
            | OrderEffect::NoteRefusal => {}
            OrderEffect::OpenCase => all.cases.push(case_of(order, decided.input, outcome)),
            OrderEffect::CloseCase => close_cases(all, order, outcome),
            OrderEffect::Publish => {
                let kind = format!("{}.{}", order.kind.word(), order.state.as_str());
                all.events.push(order_event(order, &kind, now_us));
            }
            OrderEffect::PublishAgain => all.events.push(repeated_event(order)),
        }
    }
    all.moved.insert(order.order_id.clone());
}

fn book(all: &mut AppliedOutcomes, order: &Order, effect: OrderEffect, kind: PostingKind) {
    all.bookings.push(OutcomeBooking {
        posting: Posting::of_order(order, kind),
        effect,
        kind: order.kind,
        payment_no: order.payment_no.clone(),
    });
}
